// SPDX-License-Identifier: Apache-2.0
#include "src/contractions.hpp"

#include <cavi/error.hpp>

#include <algorithm>
#include <bit>
#include <limits>

namespace cavi {

using kernels::Contract;
using kernels::Op;

namespace {

constexpr double kSmall = 4096;       // numbers: an intermediate this small is always welcome
constexpr double kWorthSharing = 16;  // multiply-adds per result above which a sum gets a buffer others can reuse
constexpr unsigned kMaxPieces = 12;

/// One running index whatever map it is used through.
Label running(const Label& l) { return Label(l.plate, l.copy, -1); }

std::set<Label> labels_of(const Piece& p) {
  std::set<Label> out;
  for (const auto& a : p.axes) out.insert(running(a.label));
  return out;
}

std::string text(const Piece& p) {
  std::string s = std::to_string(p.buffer) + "+" + std::to_string(p.offset);
  std::vector<std::string> axes;
  for (const auto& a : p.axes)
    axes.push_back("|" + std::to_string(a.label.plate) + "," + std::to_string(a.label.copy) + "," +
                   std::to_string(a.label.index) + "*" + std::to_string(a.stride));
  std::sort(axes.begin(), axes.end());
  for (const auto& a : axes) s += a;
  return s;
}

template <class T>
void merge(std::set<T>& into, const std::set<T>& from) {
  into.insert(from.begin(), from.end());
}

}  // namespace

/// One sum of products, and for every subset of its pieces what evaluating it first would cost.
struct Contractions::Problem {
  std::vector<Piece> pieces;
  LabelSet out;
  std::vector<LabelSet> all;   // labels of a subset
  std::vector<LabelSet> kept;  // of these, what others or the result still need
  std::vector<double> cost;    // multiply-adds of the best way
  std::vector<unsigned> left;  // first part of the best split; 0: all pieces at once
  unsigned full() const { return (1u << pieces.size()) - 1; }
};

double Contractions::size_of(const LabelSet& labels) const {
  double n = 1;
  for (const Label& l : labels) {
    const PlateInfo& p = model_.plates[l.plate];
    n *= p.ragged() ? std::max(1.0, double(p.size) / double(std::max<std::int64_t>(1, model_.problems)))
                    : double(std::max<std::int64_t>(1, p.size));
  }
  return n;
}

int Contractions::ragged_labels(const LabelSet& labels) const {
  return int(
      std::count_if(labels.begin(), labels.end(), [&](const Label& l) { return model_.plates[l.plate].ragged(); }));
}

kernels::Buffer Contractions::new_buffer(std::string name, std::int64_t size, int plate) {
  program_.buffers.push_back({std::move(name), size, plate});
  return int(program_.buffers.size()) - 1;
}

void Contractions::forget(int factor) {
  for (auto& [key, t] : temporaries_)
    if (t.piece.depends.contains(factor)) t.valid = false;
}

void Contractions::forget_all() {
  for (auto& [key, t] : temporaries_) t.valid = t.piece.depends.empty() && t.valid;
}

std::string Contractions::key(const Problem& p, unsigned subset) const {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < p.pieces.size(); ++i)
    if (subset >> i & 1u) parts.push_back(text(p.pieces[i]));
  std::sort(parts.begin(), parts.end());
  std::string s;
  for (const auto& part : parts) s += part + ";";
  for (const Label& l : p.kept[subset]) s += ">" + std::to_string(l.plate) + "," + std::to_string(l.copy);
  return s;
}

void Contractions::append(std::vector<Op>& ops, double c, const std::vector<Piece>& pieces, const LabelSet& over,
                          const Piece& out, bool accumulate) const {
  Contract op;
  op.coefficient = c;
  op.accumulate = accumulate;
  std::vector<Label> order;
  const auto position = [&](const Label& l) {
    const auto it = std::find(order.begin(), order.end(), running(l));
    if (it != order.end()) return int(it - order.begin());
    order.push_back(running(l));
    const PlateInfo& p = model_.plates[l.plate];
    op.labels.push_back(p.ragged() ? kernels::Extent{0, l.plate} : kernels::Extent{p.size, -1});
    return int(order.size()) - 1;
  };
  const auto operand = [&](const Piece& p) {
    kernels::Operand o{p.buffer, p.offset, {}};
    for (const auto& a : p.axes) o.axes.push_back({position(a.label), a.stride, a.label.index});
    return o;
  };
  op.out = operand(out);
  for (const Piece& p : pieces) op.operands.push_back(operand(p));
  for (const Label& l : over) position(l);
  ops.push_back(std::move(op));
}

/// The result of a subset as a piece: the piece itself when there is nothing to do, else a buffer filled by operations
/// appended here unless an earlier evaluation still holds.
Piece Contractions::evaluate(const Problem& p, unsigned subset, std::vector<Op>& ops) {
  const bool single = std::has_single_bit(subset);
  if (single && p.kept[subset].size() == p.all[subset].size()) return p.pieces[std::size_t(std::countr_zero(subset))];

  Temporary& t = temporaries_[key(p, subset)];
  if (t.valid) return t.piece;
  if (t.piece.buffer == kernels::kNoBuffer) {
    // Ragged plates come first, so that strides do not depend on the problem.
    std::vector<Label> order(p.kept[subset].begin(), p.kept[subset].end());
    std::stable_partition(order.begin(), order.end(), [&](const Label& l) { return model_.plates[l.plate].ragged(); });
    std::int64_t stride = 1;
    int plate = -1;
    for (std::size_t i = order.size(); i-- > 0;) {
      t.piece.axes.insert(t.piece.axes.begin(), {order[i], stride});
      const PlateInfo& info = model_.plates[order[i].plate];
      info.ragged() ? void(plate = order[i].plate) : void(stride *= info.size);
    }
    t.piece.buffer = new_buffer("intermediate", stride, plate);
    for (std::size_t i = 0; i < p.pieces.size(); ++i)
      if (subset >> i & 1u) merge(t.piece.depends, p.pieces[i].depends);
  }
  t.valid = true;
  Piece result = t.piece;  // the map may grow below

  std::vector<Op>& target = result.depends.empty() ? constants_ : ops;
  std::vector<Piece> parts;
  if (const unsigned left = p.left[subset]) {
    parts = {evaluate(p, left, target), evaluate(p, subset & ~left, target)};
  } else {
    for (std::size_t i = 0; i < p.pieces.size(); ++i)
      if (subset >> i & 1u) parts.push_back(p.pieces[i]);
  }
  append(target, 1, parts, {}, result, false);
  return result;
}

void Contractions::emit(std::vector<Op>& ops, double c, const std::vector<Piece>& pieces,
                        const std::vector<Label>& over, const Piece& out, bool accumulate) {
  if (pieces.size() > kMaxPieces) throw ShapeError("a term with more than " + std::to_string(kMaxPieces) + " operands");
  Problem p;
  p.pieces = pieces;
  p.out = labels_of(out);
  LabelSet extra;  // labels that only multiply
  for (const Label& l : over) extra.insert(running(l));
  for (const Piece& piece : pieces)
    for (const Label& l : labels_of(piece)) extra.erase(l);
  if (pieces.empty()) return append(ops, c, {}, extra, out, accumulate);

  const unsigned full = p.full();
  p.all.resize(full + 1);
  p.kept.resize(full + 1);
  p.cost.assign(full + 1, std::numeric_limits<double>::infinity());
  p.left.assign(full + 1, 0);
  for (unsigned s = 1; s <= full; ++s) {
    for (std::size_t i = 0; i < pieces.size(); ++i)
      if (s >> i & 1u) merge(p.all[s], labels_of(pieces[i]));
  }
  double largest = std::max(kSmall, size_of(p.out));
  for (std::size_t i = 0; i < pieces.size(); ++i) largest = std::max(largest, size_of(p.all[1u << i]));
  const auto storable = [&](unsigned s) { return size_of(p.kept[s]) <= largest && ragged_labels(p.kept[s]) <= 1; };
  for (unsigned s = 1; s <= full; ++s) {
    for (const Label& l : p.all[s])
      if (p.out.contains(l) || p.all[full & ~s].contains(l)) p.kept[s].insert(l);
    const bool single = std::has_single_bit(s);
    if (single && p.kept[s].size() == p.all[s].size()) {
      p.cost[s] = 0;
      continue;
    }
    bool constant = true;
    for (std::size_t i = 0; i < pieces.size(); ++i) constant &= !(s >> i & 1u) || pieces[i].depends.empty();
    const auto known = temporaries_.find(key(p, s));
    if (storable(s) && (constant || (known != temporaries_.end() && known->second.valid))) {
      p.cost[s] = 0;
      // Even a constant is worth a good order.
      if (!constant) continue;
    }
    double best = size_of(p.all[s]) * double(std::popcount(s));
    for (unsigned left = (s - 1) & s; left > 0; left = (left - 1) & s) {
      const unsigned right = s & ~left;
      if (left < right || !storable(left) || !storable(right)) continue;
      LabelSet both = p.kept[left];
      merge(both, p.kept[right]);
      const double cost =
          p.cost[left] + p.cost[right] + 2 * size_of(both) + size_of(p.kept[left]) + size_of(p.kept[right]);
      if (cost < best) {
        best = cost;
        p.left[s] = left;
      }
    }
    if (p.cost[s] != 0) p.cost[s] = best;
  }

  std::set<int> depends;
  for (const Piece& piece : pieces) merge(depends, piece.depends);
  const bool reduces = size_of(p.all[full]) >= kWorthSharing * size_of(p.kept[full]);
  if (storable(full) && (reduces || (depends.empty() && pieces.size() > 1)))
    return append(ops, c, {evaluate(p, full, ops)}, extra, out, accumulate);
  std::vector<Piece> parts = pieces;
  if (const unsigned left = p.left[full]) parts = {evaluate(p, left, ops), evaluate(p, full & ~left, ops)};
  append(ops, c, parts, extra, out, accumulate);
}

}  // namespace cavi
