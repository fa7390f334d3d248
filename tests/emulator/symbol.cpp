// SPDX-License-Identifier: Apache-2.0
#include "emulator/symbol.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace emulator {
namespace {

struct Symbol {
  std::uintptr_t size;
  std::string name;
};
using Table = std::map<std::uintptr_t, Symbol>;  // by offset in the file's address space

Table read_symbols(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  const std::string image = content.str();
  Table table;
  if (image.size() < sizeof(Elf64_Ehdr) || std::memcmp(image.data(), ELFMAG, SELFMAG) != 0) return table;
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(image.data());
  const auto* sections = reinterpret_cast<const Elf64_Shdr*>(image.data() + header->e_shoff);
  for (int s = 0; s < header->e_shnum; ++s) {
    if (sections[s].sh_type != SHT_SYMTAB) continue;
    const char* names = image.data() + sections[sections[s].sh_link].sh_offset;
    const auto* symbols = reinterpret_cast<const Elf64_Sym*>(image.data() + sections[s].sh_offset);
    for (std::size_t i = 0; i < sections[s].sh_size / sizeof(Elf64_Sym); ++i)
      if (ELF64_ST_TYPE(symbols[i].st_info) == STT_FUNC && symbols[i].st_value)
        table[symbols[i].st_value] = {symbols[i].st_size, names + symbols[i].st_name};
  }
  return table;
}

// "void ns::kernel<float>(ns::Op<float>, int)" -> "ns::kernel<float>"
std::string without_signature(std::string name) {
  if (!name.empty() && name.back() == ')') {
    int depth = 0;
    for (std::size_t i = name.size(); i-- > 0;) {
      depth += name[i] == ')';
      depth -= name[i] == '(';
      if (depth == 0) {
        name.resize(i);
        break;
      }
    }
  }
  if (name.rfind("void ", 0) == 0) name.erase(0, 5);
  return name;
}

std::string demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = text ? without_signature(text) : name;
  std::free(text);
  return result;
}

}  // namespace

std::string function_name(const void* address) {
  static std::map<std::string, Table> tables;
  Dl_info info{};
  if (!dladdr(address, &info) || !info.dli_fname) return "?";
  auto [entry, added] = tables.try_emplace(info.dli_fname);
  if (added) entry->second = read_symbols(entry->first.c_str());
  // A position-independent file is numbered from 0, any other from its own base.
  const auto base = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  for (const std::uintptr_t offset :
       {reinterpret_cast<std::uintptr_t>(address) - base, reinterpret_cast<std::uintptr_t>(address)}) {
    auto symbol = entry->second.upper_bound(offset);
    if (symbol == entry->second.begin()) continue;
    --symbol;
    if (offset < symbol->first + std::max<std::uintptr_t>(symbol->second.size, 1))
      return demangled(symbol->second.name);
  }
  return info.dli_sname ? demangled(info.dli_sname) : "?";
}

std::string code_name(const void* address) {
  static std::map<const void*, std::string> known;
  auto [entry, added] = known.try_emplace(address);
  if (!added) return entry->second;
  entry->second = function_name(address);
  Dl_info info{};
  if (!dladdr(address, &info) || !info.dli_fname) return entry->second;
  char command[4200];
  std::snprintf(command, sizeof command, "addr2line -s -e '%s' %#zx 2>/dev/null", info.dli_fname,
                static_cast<std::size_t>(static_cast<const char*>(address) - static_cast<char*>(info.dli_fbase)));
  if (FILE* pipe = popen(command, "r")) {
    char line[512] = "";
    if (std::fgets(line, sizeof line, pipe) && line[0] != '?')
      entry->second += " (" + std::string(line, std::strcspn(line, " \n")) + ")";
    pclose(pipe);
  }
  return entry->second;
}

}  // namespace emulator
