// SPDX-License-Identifier: Apache-2.0
// Handwritten digits without their labels: a Dirichlet process mixture of Gaussians on the grey values, and one of
// Bernoulli distributions on the pixels that are ink. Draws the means of the components that the data keep.
//
//     digits digits.npy digits.svg [labels.npy]
#include <cavi/cavi.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace {

constexpr int kSide = 8, kPixels = kSide * kSide, kInk = 8;  // grey values go from 0 to 16
constexpr int kCell = 9, kGap = 14, kPerRow = 12;            // of the picture

/// The components with at least one row, the largest first.
std::vector<int> kept(const cavi::MixturePosterior& p) {
  std::vector<int> order;
  for (int k = 0; k < p.n_components; ++k)
    if (p.counts[std::size_t(k)] >= 1) order.push_back(k);
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return p.counts[std::size_t(a)] > p.counts[std::size_t(b)]; });
  return order;
}

/// Which part of the images lies in a component whose most frequent digit they show.
double purity(const std::vector<std::int32_t>& component, const std::vector<std::int32_t>& digit) {
  std::map<std::int32_t, std::map<std::int32_t, int>> table;
  for (std::size_t n = 0; n < digit.size(); ++n) ++table[component[n]][digit[n]];
  int right = 0;
  for (const auto& [k, digits] : table) {
    int most = 0;
    for (const auto& [d, count] : digits) most = std::max(most, count);
    right += most;
  }
  return double(right) / double(digit.size());
}

/// One square of 8 x 8 pixels per component, under a heading; returns the height it takes.
int draw(std::string& svg, int top, const std::string& heading, const cavi::MixturePosterior& p, double black) {
  char text[256];
  const auto add = [&](auto... values) {
    std::snprintf(text, sizeof text, values...);
    svg += text;
  };
  add("<text x='%d' y='%d' font-size='15'>%s</text>\n", kGap, top + 16, heading.c_str());
  const std::vector<int> order = kept(p);
  const int step = kSide * kCell + kGap;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const int left = kGap + int(i) % kPerRow * step, up = top + 28 + int(i) / kPerRow * (step + 12);
    for (int d = 0; d < kPixels; ++d) {
      const double ink = std::clamp(p.means[std::size_t(order[i] * kPixels + d)] / black, 0.0, 1.0);
      const int grey = int(255 * (1 - ink));
      add("<rect x='%d' y='%d' width='%d' height='%d' fill='#%02x%02x%02x'/>\n", left + d % kSide * kCell,
          up + d / kSide * kCell, kCell, kCell, grey, grey, grey);
    }
    add("<rect x='%d' y='%d' width='%d' height='%d' fill='none' stroke='#999'/>\n", left, up, kSide * kCell,
        kSide * kCell);
    const double count = p.counts[std::size_t(order[i])];
    add("<text x='%d' y='%d' font-size='11'>%.0f image%s</text>\n", left, up + kSide * kCell + 13, count,
        count < 1.5 ? "" : "s");
  }
  return 28 + int(order.size() + kPerRow - 1) / kPerRow * (step + 12) + 10;
}

cavi::Mixture fit(const char* name, cavi::MixtureOptions o, const cavi::Matrix& x,
                  const std::vector<std::int32_t>& digit) {
  o.n_components = 60;  // at most: the process empties what it does not need
  o.weight_concentration_prior = 1;
  o.n_init = 3;
  o.max_iter = 300;
  cavi::Mixture m(o);
  m.fit(x);
  std::printf("%s: keeps %d of %d components, bound %.0f", name, int(kept(m.posterior()).size()), o.n_components,
              m.summary().elbo);
  if (!digit.empty()) std::printf(", purity %.2f", purity(m.predict(x), digit));
  std::printf("\n");
  return m;
}

void run(int argc, char** argv) {
  const cavi::Matrix grey = cavi::open_matrix(argv[1]);
  const std::vector<std::int32_t> digit = argc > 3 ? cavi::read_labels(argv[3]) : std::vector<std::int32_t>();
  std::vector<double> ink = grey.to_vector();
  for (double& v : ink) v = v >= kInk;

  cavi::MixtureOptions gaussian, bernoulli;
  gaussian.covariance_type = cavi::CovarianceType::diag;
  gaussian.reg_covar = 1;                 // grey values are whole numbers, and some pixels are always white
  gaussian.degrees_of_freedom_prior = 8;  // images that the prior is worth; the default is as many as pixels
  bernoulli.family = cavi::ComponentFamily::bernoulli;
  const cavi::Mixture a = fit("gaussian", gaussian, grey, digit);
  const cavi::Mixture b = fit("bernoulli", bernoulli, cavi::Matrix(ink, grey.rows(), grey.cols()), digit);

  std::string body;
  int height = kGap;
  height += draw(body, height, "Gaussian components with a variance per pixel: mean grey values", a.posterior(), 16);
  height += draw(body, height, "Bernoulli components: probability of ink", b.posterior(), 1);
  std::ofstream svg(argv[2]);
  svg << "<svg xmlns='http://www.w3.org/2000/svg' width='" << kGap + kPerRow * (kSide * kCell + kGap) << "' height='"
      << height << "' font-family='sans-serif'>\n<rect width='100%' height='100%' fill='white'/>\n"
      << body << "</svg>\n";
  svg.close();
  if (!svg) throw cavi::IoError(std::string(argv[2]) + ": cannot be written");
  std::printf("drawn in %s\n", argv[2]);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "digits IMAGES.npy PICTURE.svg [LABELS.npy]\n"), 2;
  try {
    run(argc, argv);
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "digits: %s\n", e.what()), 1;
  }
}
