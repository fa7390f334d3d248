// SPDX-License-Identifier: Apache-2.0
/// \file
/// The whole public interface.
#pragma once

#include <cavi/component_family.hpp>
#include <cavi/device.hpp>
#include <cavi/error.hpp>
#include <cavi/factorisation.hpp>
#include <cavi/inference.hpp>
#include <cavi/io.hpp>
#include <cavi/matrix.hpp>
#include <cavi/mixture.hpp>
#include <cavi/model.hpp>
