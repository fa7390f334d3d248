# SPDX-License-Identifier: Apache-2.0
# ComponentFamily is the list of component families. From its enumerators comes a header that includes the file of each
# independent one, kernels/math/components/<name>.hpp with a struct <Name>, and lists them: family_includes is where.
set(family_includes ${PROJECT_BINARY_DIR}/generated)
set(family_header ${PROJECT_SOURCE_DIR}/include/cavi/component_family.hpp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${family_header})
file(STRINGS ${family_header} enumerators REGEX "^  [a-z_]+,")
set(includes)
set(list)
foreach(enumerator IN LISTS enumerators)
  string(REGEX MATCH "[a-z_]+" name "${enumerator}")
  if(name STREQUAL "gaussian")
    continue()
  endif()
  string(REPLACE "_" ";" parts ${name})
  set(type)
  foreach(part IN LISTS parts)
    string(SUBSTRING ${part} 0 1 initial)
    string(TOUPPER ${initial} initial)
    string(SUBSTRING ${part} 1 -1 rest)
    string(APPEND type ${initial}${rest})
  endforeach()
  string(APPEND includes "#include \"kernels/math/components/${name}.hpp\"\n")
  string(APPEND list " \\\n  FAMILY(${name}, ${type})")
endforeach()
file(CONFIGURE OUTPUT ${family_includes}/independent_families.hpp CONTENT
"// Made by cmake/families.cmake from ComponentFamily.
#pragma once

${includes}
#define CAVI_INDEPENDENT_FAMILIES(FAMILY)${list}
" @ONLY)
