// SPDX-License-Identifier: Apache-2.0
// cavi convert: the same rows in another kind of file.
#include "src/cli/command.hpp"
#include "src/cli/data.hpp"
#include "src/cli/row_writer.hpp"

#include <algorithm>
#include <memory>

namespace cavi::cli {
namespace {

const Choices<StoredType> kTypes{{"f4", StoredType::f4}, {"f8", StoredType::f8}, {"i4", StoredType::i4}};

struct Arguments {
  DataArguments data;
  Text out, type;
};

/// append(numbers as float64) for all rows, block by block.
template <class T, class Append>
void read_blocks(const MatrixSource& source, Append append) {
  const std::int64_t block = std::max<std::int64_t>(1, (1 << 17) / source.cols());  // rows
  std::vector<T> values;
  for (std::int64_t first = 0; first < source.rows(); first += block) {
    const std::int64_t count = std::min(block, source.rows() - first);
    values.resize(std::size_t(count * source.cols()));
    source.read(first, count, values.data());
    append(std::vector<double>(values.begin(), values.end()));
  }
}

void convert(const Arguments& a) {
  Complaints complaints;
  const std::optional<Matrix> x = read_data(a.data, complaints);
  if (!a.out) complaints.add("OUT is required: a .npy, .csv or .bin file");
  StoredType type = x && x->scalar() == Scalar::float32 ? StoredType::f4 : StoredType::f8;
  read_choice("--type", a.type, kTypes, type, complaints);
  complaints.throw_if_any();
  RowWriter out(a.out, {x->rows(), x->cols()}, x->column_names(), type, x->name());
  const auto append = [&](const std::vector<double>& values) { out.append(values); };
  x->scalar() == Scalar::float32 ? read_blocks<float>(*x->source(), append) : read_blocks<double>(*x->source(), append);
  out.commit();
}

constexpr const char* kFooter =
    "\nThe name of OUT says what it becomes: .npy, .csv, or .bin (raw binary, row by row, little-endian). Rows\n"
    "pass through block by block. A .csv is written so that every number reads back exactly, with the names of\n"
    "the columns where DATA has some.\n"
    "\nExamples:\n"
    "  cavi convert table.csv table.npy --type f4\n"
    "  cavi convert sensor.bin sensor.csv --raw f4:x16\n"
    "  cavi convert table.csv two.npy --columns height,weight";

}  // namespace

Command add_convert(CLI::App& app) {
  CLI::App* parser = app.add_subcommand("convert", "Turn rows into another kind of file");
  parser->group("Commands");
  parser->footer(kFooter);
  auto a = std::make_shared<Arguments>();
  add_data_options(*parser, a->data);
  parser->add_option("OUT", a->out, "Where they go: .npy, .csv or .bin")->type_name("FILE");
  parser->add_option("--type", a->type, "f4, f8 or i4 (default: f4 or f8, as DATA is read)")
      ->type_name("TYPE")
      ->group("Output");
  return {parser, [a] { convert(*a); }};
}

}  // namespace cavi::cli
