// SPDX-License-Identifier: Apache-2.0
#include "kernels/mixture_scores.hpp"

#include "kernels/math/components/families.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace cavi::kernels {
namespace {

template <class F>
MixtureFrame frame_in(const MixtureScores& s, double scale) {
  const std::size_t d = std::size_t(s.features), size = std::size_t(F::root_size(s.features));
  const bool gaussian = s.exponent.empty();
  if (!gaussian) scale = 1;
  MixtureFrame f{s.root, s.mean, std::vector<double>(std::size_t(s.components))};
  for (double& v : f.root) v *= F::kind == Component::spherical ? scale : std::sqrt(scale);
  if (!gaussian && F::kind == Component::diag)
    for (std::size_t i = 0; i < f.root.size(); ++i) f.root[i] *= std::sqrt(s.factor[i / size]);
  if (F::kind == Component::linear)
    for (double& v : f.centre) v *= scale;
  if (F::kind == Component::diag)
    for (std::size_t i = 0; i < f.centre.size(); ++i) f.centre[i] *= -f.root[i];
  if (F::kind == Component::tied)  // R m: an element wants those of m from its own on
    for (double* centre = f.centre.data(); centre != f.centre.data() + f.centre.size(); centre += d)
      for (std::size_t i = 0; i < d; ++i)
        centre[i] = std::inner_product(centre + i, centre + d, &f.root[i * (d + 1)], 0.0);
  if (gaussian)
    std::transform(s.constant.begin(), s.constant.end(), f.offset.begin(), [&](double c) { return scale * c; });
  return f;
}

}  // namespace

MixtureFrame frame_of(const MixtureScores& s, double scale) {
  return components::with_family(s.component, [&]<class F>(F) { return frame_in<F>(s, scale); });
}

}  // namespace cavi::kernels
