// SPDX-License-Identifier: Apache-2.0
/// \file
/// Contractions to be tried, and their definition in long double.
#pragma once

#include "kernels/cpu/contract.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace cavi::contract_test {

using cavi::kernels::Axis;
using cavi::kernels::Contract;
using cavi::kernels::Extent;
using cavi::kernels::Operand;
using cavi::kernels::Problem;
using cavi::kernels::cpu::contract;
using cavi::kernels::cpu::ThreadPool;

// An op with the memory it runs on.
struct Example {
  Contract op;
  std::vector<std::vector<double>> buffers;
  std::vector<std::int64_t> extents;  // by plate
  std::vector<std::vector<std::int32_t>> maps;

  Problem problem() {
    Problem p;
    for (auto& b : buffers) p.buffers.push_back(b.data());
    p.extents = extents;
    return p;
  }
  std::vector<double>& out() { return buffers[op.out.buffer]; }
  void run(ThreadPool& pool) {
    std::vector<const std::int32_t*> pointers;
    for (const auto& m : maps) pointers.push_back(m.data());
    contract(op, problem(), pool, pointers);
  }
};

// By element of out: its value, the absolute values and the number of what was added up.
struct Expected {
  std::vector<long double> value, magnitude, terms;
};

// The definition, word by word.
inline Expected definition(Example& e) {
  const Problem p = e.problem();
  const Contract& op = e.op;
  std::vector<std::int64_t> extent, index(op.labels.size(), 0);
  for (const Extent& x : op.labels) extent.push_back(p.size(x));
  const auto place = [&](const Operand& o) {
    std::int64_t at = o.offset;
    for (const Axis& a : o.axes) at += a.stride * (a.map < 0 ? index[a.label] : e.maps[a.map][index[a.label]]);
    return at;
  };
  std::vector<bool> of_out(op.labels.size(), false);
  for (const Axis& a : op.out.axes) of_out[a.label] = true;
  const auto for_all = [&](auto wanted, auto body) {
    index.assign(extent.size(), 0);
    for (std::size_t l = 0; l < extent.size(); ++l)
      if (wanted(l) && extent[l] == 0) return;
    for (;;) {
      body();
      int l = int(extent.size()) - 1;
      for (; l >= 0; --l) {
        if (!wanted(l)) continue;
        if (++index[l] < extent[l]) break;
        index[l] = 0;
      }
      if (l < 0) return;
    }
  };
  Expected out;
  out.value.assign(e.out().begin(), e.out().end());
  out.magnitude.resize(out.value.size());
  out.terms.resize(out.value.size());
  if (op.accumulate)
    for (std::size_t i = 0; i < out.value.size(); ++i) out.magnitude[i] = std::abs(out.value[i]);
  else
    for_all([&](std::size_t l) { return of_out[l]; }, [&] { out.value[place(op.out)] = 0; });
  for_all([](std::size_t) { return true; },
          [&] {
            long double product = op.coefficient;
            for (const Operand& o : op.operands) product *= p[o.buffer][place(o)];
            out.value[place(op.out)] += product;
            out.magnitude[place(op.out)] += std::abs(product);
            out.terms[place(op.out)] += 1;
          });
  return out;
}

// Any order of n additions is wrong by at most n units roundoff of what was added (Higham, Accuracy and Stability of
// Numerical Algorithms, 4.4); products add one for each factor.
inline void expect_definition(Example e, ThreadPool& pool, const std::string& what) {
  const Expected expected = definition(e);
  e.run(pool);
  for (std::size_t i = 0; i < expected.value.size(); ++i) {
    const double tolerance = 1.11e-16 * double(expected.magnitude[i] * (expected.terms[i] + 8));
    ASSERT_LE(std::abs(e.out()[i] - double(expected.value[i])), tolerance) << what << ", out[" << i << "]";
  }
}

class Generator {
 public:
  explicit Generator(unsigned seed) : rng_(seed) {}
  int integer(int below) { return int(rng_() % unsigned(below)); }
  bool chance(int percent) { return integer(100) < percent; }
  double number() { return std::normal_distribution<double>()(rng_); }
  std::vector<double> numbers(std::int64_t n) {
    std::vector<double> x(n);
    for (double& v : x) v = number();
    return x;
  }
  std::vector<std::int32_t> map(std::int64_t from, int to) {
    std::vector<std::int32_t> m(from);
    for (auto& v : m) v = integer(to);
    return m;
  }

  // Up to five labels, up to `products` products.
  Example example(std::int64_t products) {
    static const int small[] = {1, 1, 2, 3, 5, 7, 8, 9, 17, 33, 70}, large[] = {2, 3, 8, 31, 70, 97, 129, 1030, 5000};
    Example e;
    const bool is_large = products > 100000;
    const int labels = is_large ? 2 + integer(4) : integer(6);
    std::int64_t work = 1;
    for (int l = 0; l < labels; ++l) {
      std::int64_t size = is_large ? large[integer(std::size(large))] : small[integer(std::size(small))];
      if (work * size > products) size = 1 + integer(2);
      if (chance(2)) size = 0;
      work *= std::max<std::int64_t>(size, 1);
      if (chance(25)) {
        e.extents.push_back(size);
        e.op.labels.push_back({99, int(e.extents.size()) - 1});
      } else {
        e.op.labels.push_back({size, -1});
      }
    }
    e.op.coefficient = number();
    e.op.accumulate = chance(40);
    add_operand(e, e.op.out, is_large ? 45 : 60, is_large ? 8 : 15, true);
    e.op.operands.resize(is_large ? 2 + integer(3) : integer(5));
    for (Operand& o : e.op.operands) {
      if (&o != &e.op.operands[0] && chance(15)) {
        o = e.op.operands[0];  // one buffer twice
        continue;
      }
      add_operand(e, o, is_large ? 65 : 50, is_large ? 8 : 15, false);
    }
    return e;
  }

  // A random layout of a random choice of labels, with gaps, diagonals, mapped, reversed and still axes.
  void add_operand(Example& e, Operand& o, int chosen, int mapped, bool out) {
    const Problem p = e.problem();
    struct Planned {
      Axis axis;
      std::int64_t size;
    };
    std::vector<Planned> axes;
    for (int l = 0; l < int(e.op.labels.size()); ++l)
      for (int twice = 0; twice < 2; ++twice) {
        if (!chance(twice ? 8 : chosen)) continue;
        const std::int64_t extent = p.size(e.op.labels[l]);
        if (chance(mapped)) {
          const int target = 1 + integer(9);
          e.maps.push_back(map(extent, target));
          axes.push_back({{l, 0, int(e.maps.size()) - 1}, target});
        } else {
          axes.push_back({{l, 0, -1}, std::max<std::int64_t>(extent, 1)});
        }
      }
    std::shuffle(axes.begin(), axes.end(), rng_);
    std::int64_t stride = chance(20) ? 2 : 1, first = integer(3), span = 1;
    for (auto& [axis, size] : axes) {
      if (span > 100000) break;
      axis.stride = out && chance(5) ? 1 : stride;
      span += axis.stride * (size - 1);
      stride = span + (chance(20) ? integer(3) : 0);
      if (chance(10)) first += axis.stride * (size - 1), axis.stride = -axis.stride;
    }
    for (const auto& a : axes) o.axes.push_back(a.axis);
    o.buffer = int(e.buffers.size());
    o.offset = first;
    e.buffers.push_back(numbers(first + span + 2));
  }

 private:
  std::mt19937 rng_;
};

// "k,nk,nd->kd" with a size per letter; every array is packed, the last letter fastest.
inline Example example(const std::string& spec, const std::map<char, std::int64_t>& sizes, bool accumulate = false) {
  Example e;
  Generator generator(unsigned(spec.size()));
  const auto arrow = spec.find("->");
  std::string letters = spec.substr(arrow + 2);
  for (const char c : spec)
    if (sizes.count(c) && letters.find(c) == std::string::npos) letters += c;
  for (const char c : letters) e.op.labels.push_back({sizes.at(c), -1});
  const auto array = [&](const std::string& name) {
    Operand o;
    std::int64_t stride = 1;
    for (auto c = name.rbegin(); c != name.rend(); ++c) {
      o.axes.push_back({int(letters.find(*c)), stride, -1});
      stride *= sizes.at(*c);
    }
    o.buffer = int(e.buffers.size());
    e.buffers.push_back(generator.numbers(stride));
    return o;
  };
  e.op.out = array(spec.substr(arrow + 2));
  std::istringstream in(spec.substr(0, arrow));
  for (std::string name; std::getline(in, name, ',');) e.op.operands.push_back(array(name));
  e.op.coefficient = -0.5;
  e.op.accumulate = accumulate;
  return e;
}

}  // namespace cavi::contract_test
