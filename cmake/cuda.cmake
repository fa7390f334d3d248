# SPDX-License-Identifier: Apache-2.0
# CAVI_HAS_CUDA: there is a CUDA compiler, and the library gets its backend.
set(CAVI_HAS_CUDA OFF)
if(CAVI_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  find_package(CUDAToolkit 12.4 QUIET)
  if(CMAKE_CUDA_COMPILER AND CUDAToolkit_FOUND)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80-real 90)  # the code of newer ones is made from sm_90's by the driver
    endif()
    enable_language(CUDA)
    # CMake 3.25 knows the option for nvcc up to version 11 and silently leaves it out for newer ones.
    if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
      set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    # No fused multiply-add but by name, as on the host; lambdas and constexpr functions of <cmath> in device code.
    add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:--fmad=false;--expt-relaxed-constexpr;-Xcompiler=-Wall,-ffp-contract=off>")
    set(CAVI_HAS_CUDA ON)
  endif()
endif()
if(CAVI_CUDA AND NOT CAVI_HAS_CUDA)
  message(STATUS "No CUDA compiler of version 12.4 or newer: building without the CUDA backend")
endif()
