// SPDX-License-Identifier: Apache-2.0
// Seconds per iteration of expectation-maximisation in Armadillo's gmm_diag and gmm_full (float64), for compare.py:
//
//   peers_armadillo X.npy LABELS.npy diag|full K ITERATIONS     OMP_NUM_THREADS says how many threads
//
// Starts from the means, covariances and weights of the labels. The time is the difference of learning with one
// iteration and with 1 + ITERATIONS, as there is nothing to hook into between two iterations. Prints a JSON object.
#include "bench/peers/clocks.hpp"

#include <cavi/io.hpp>

#include <armadillo>
#include <nlohmann/json.hpp>

#include <iostream>

namespace {

using cavi::peers::Clocks;

constexpr double kFloor = 1e-6;  // of a variance; scikit-learn's reg_covar

struct Start {
  arma::mat means, variances;
  arma::cube covariances;
  arma::rowvec weights;
};

Start start_of(const arma::mat& x, const std::vector<std::int32_t>& labels, arma::uword k) {
  Start s{arma::mat(x.n_rows, k), arma::mat(x.n_rows, k), arma::cube(x.n_rows, x.n_rows, k), arma::rowvec(k)};
  const arma::uvec of = arma::conv_to<arma::uvec>::from(labels);
  for (arma::uword c = 0; c < k; ++c) {
    const arma::mat members = x.cols(arma::find(of == c));
    s.means.col(c) = arma::mean(members, 1);
    s.covariances.slice(c) = arma::cov(members.t(), 1);
    s.covariances.slice(c).diag() += kFloor;
    s.variances.col(c) = s.covariances.slice(c).diag();
    s.weights(c) = double(members.n_cols);
  }
  s.weights /= arma::accu(s.weights);
  return s;
}

void set(arma::gmm_full& model, const Start& s) { model.set_params(s.means, s.covariances, s.weights); }
void set(arma::gmm_diag& model, const Start& s) { model.set_params(s.means, s.variances, s.weights); }

template <class Model>
nlohmann::json time_of(const arma::mat& x, const Start& start, int iterations) {
  const auto run = [&](int n) {
    Model model;
    set(model, start);
    const Clocks begin = Clocks::now();
    if (!model.learn(x, start.means.n_cols, arma::maha_dist, arma::keep_existing, 0, arma::uword(n), kFloor, false))
      throw std::runtime_error("learning failed");
    return Clocks::now() - begin;
  };
  run(1);
  const Clocks once = run(1), each = (run(1 + iterations) - once) / iterations;
  return {{"wall", each.wall}, {"cpu", each.cpu}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 6) throw std::runtime_error("takes 5 arguments: X.npy LABELS.npy diag|full K ITERATIONS");
  const cavi::Matrix file = cavi::open_matrix(argv[1]);
  const std::vector<double> values = file.to_vector();  // row-major N x D is column-major D x N
  const arma::mat x(values.data(), arma::uword(file.cols()), arma::uword(file.rows()));
  const Start start = start_of(x, cavi::read_labels(argv[2]), arma::uword(std::stoi(argv[4])));
  const int iterations = std::stoi(argv[5]);
  nlohmann::json out = std::string(argv[3]) == "full" ? time_of<arma::gmm_full>(x, start, iterations)
                                                      : time_of<arma::gmm_diag>(x, start, iterations);
  const arma::arma_version version;
  out["version"] = version.as_string();
  std::cout << out << '\n';
} catch (const std::exception& e) {
  std::cerr << "peers_armadillo: " << e.what() << '\n';
  return 1;
}
