// SPDX-License-Identifier: Apache-2.0
// Compiles the tiles once per instruction set and picks the best at run time.
#include "kernels/cpu/mixture_tiles.hpp"

// Left out: sets that add nothing to this code, and those whose vectors have no fixed size.
#define HWY_DISABLED_TARGETS (HWY_AVX3_DL | HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/mixture_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/cpu/mixture_accumulate-inl.hpp"
#include "kernels/cpu/mixture_predict-inl.hpp"
#include "kernels/cpu/mixture_respond-inl.hpp"
#include "kernels/cpu/mixture_screen-inl.hpp"
#include "kernels/cpu/rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace cavi::kernels::cpu::HWY_NAMESPACE {

template <class T>
double RespondAny(const TileParameters<T>& p, const TileBlock<T>& block) {
  switch (p.family) {
    case Component::tied: return Respond<T, Component::tied>(p, block);
    case Component::diag: return Respond<T, Component::diag>(p, block);
    case Component::spherical: return Respond<T, Component::spherical>(p, block);
    case Component::linear: return Respond<T, Component::linear>(p, block);
    case Component::full: break;
  }
  return Respond<T, Component::full>(p, block);
}

template <class T>
std::int64_t AccumulateAny(const TileParameters<T>& p, const TileBlock<T>& block, const TileSums& sums) {
  if (p.plain) return AccumulatePlain(p, block, sums);
  switch (p.family) {
    case Component::tied: return AccumulateAxes<T, Component::tied>(p, block, sums);
    case Component::diag: return AccumulateAxes<T, Component::diag>(p, block, sums);
    case Component::spherical: return AccumulateAxes<T, Component::spherical>(p, block, sums);
    case Component::linear: return AccumulateAxes<T, Component::linear>(p, block, sums);
    case Component::full: break;
  }
  return AccumulateFull(p, block, sums);
}

// Numbers that any of the functions wants as scratch.
template <class T>
std::int64_t ScratchSize(int components, int features, int points) {
  return std::max({AccumulateScratch<T>(components, features, points), RespondScratch<T>(features),
                   LinearScratch<T>(components, features), ScreenScratch<T>(components, features, points),
                   PlainScratch<T>(components, features, points)});
}

template <class T>
Tiles<T> MakeTiles() {
  Tiles<T> t;
  t.tile = kTile<T>;
  t.name = hwy::TargetName(HWY_TARGET);
  t.scratch = ScratchSize<T>;
  t.pack_root = PackRoot<T>;
  t.load_float32 = LoadRows<T, float>;
  t.load_float64 = LoadRows<T, double>;
  t.respond = RespondAny<T>;
  t.respond_screened = RespondScreened<T>;
  t.accumulate = AccumulateAny<T>;
  t.nearest = Nearest<T>;
  return t;
}
Tiles<float> MakeTiles32() { return MakeTiles<float>(); }
Tiles<double> MakeTiles64() { return MakeTiles<double>(); }

}  // namespace cavi::kernels::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cavi::kernels::cpu {

HWY_EXPORT(MakeTiles32);
HWY_EXPORT(MakeTiles64);
HWY_EXPORT(LogDensity);
HWY_EXPORT(LargestResponse);

template <>
const Tiles<float>& tiles<float>() {
  static const Tiles<float> best = HWY_DYNAMIC_DISPATCH(MakeTiles32)();
  return best;
}
template <>
const Tiles<double>& tiles<double>() {
  static const Tiles<double> best = HWY_DYNAMIC_DISPATCH(MakeTiles64)();
  return best;
}

void log_density(const TileParameters<double>& distances, const StudentParameters& student,
                 const TileBlock<double>& block) {
  HWY_DYNAMIC_DISPATCH(LogDensity)(distances, student, block);
}

void largest_response(const TileBlock<double>& block, int components) {
  HWY_DYNAMIC_DISPATCH(LargestResponse)(block, components);
}

void unpack_cells(const double* cells, int features, double* out) {
  for (int i0 = 0; i0 < features; i0 += kCell)
    for (int j0 = i0; j0 < features; j0 += kCell, cells += kCell * kCell)
      for (int j = j0; j < features && j < j0 + kCell; ++j)
        for (int i = i0; i <= j && i < i0 + kCell; ++i)
          out[std::int64_t(i) * features + j] = cells[(j - j0) * kCell + i - i0];
}

void unpack_symmetric(const double* cells, int features, double* out) {
  unpack_cells(cells, features, out);
  for (int i = 0; i < features; ++i)
    for (int j = 0; j < i; ++j) out[std::int64_t(i) * features + j] = out[std::int64_t(j) * features + i];
}

}  // namespace cavi::kernels::cpu
#endif
