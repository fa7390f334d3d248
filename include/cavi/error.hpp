// SPDX-License-Identifier: Apache-2.0
/// \file
/// One exception per thing a caller can do something about. The library throws these and nothing else of its own;
/// it never aborts, prints or leaks. Every message names the thing that is wrong and the way out.
#pragma once

#include <stdexcept>

namespace cavi {

/// Base of all exceptions of this library.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An option out of its range. All complaints about one set of options come at once, one per line.
struct OptionError : Error {
  using Error::Error;
};

/// Sizes, labels or plates that do not fit together.
struct ShapeError : Error {
  using Error::Error;
};

/// The model is not conjugate under the chosen factorisation; names the factor, the term and the missing statistic.
struct NotConjugate : Error {
  using Error::Error;
};

/// Data or arithmetic that cannot be continued from: NaN or infinity in the data, a precision that lost positive
/// definiteness, a bound that fell. Names the factor or the data, the element and the sweep.
struct NumericalError : Error {
  using Error::Error;
};

/// A device that is not there, or that refused a call.
struct DeviceError : Error {
  using Error::Error;
};

/// A file that cannot be read or written; names the file, the place in it and the cause.
struct IoError : Error {
  using Error::Error;
};

}  // namespace cavi
