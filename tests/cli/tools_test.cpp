// SPDX-License-Identifier: Apache-2.0
// cavi info, convert, completion and man, and --config.
#include <cavi/cavi.hpp>

#include "tests/cli/run_cavi.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <set>
#include <sstream>

namespace {

using cavi::test::bytes_of;
using cavi::test::fit_json;
using cavi::test::Folder;
using cavi::test::refusal;
using cavi::test::run_cavi;
using cavi::test::test_file;
using nlohmann::json;

const std::string kFaithful = test_file("data/faithful.csv");
const std::vector<std::string> kCommands{"fit", "predict", "score", "sample", "info", "convert", "bench", "completion"};

std::string out(const std::vector<std::string>& arguments) {
  const auto run = run_cavi(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  return run.out;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

#define EXPECT_SAYS(text, part) EXPECT_PRED2(contains, text, part)

/// Names of the options in a help, "--seed" and the like.
std::vector<std::string> options_in(const std::string& help) {
  std::vector<std::string> names;
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);)
    if (const auto at = line.find("--"); at != std::string::npos && line.starts_with("  ") && at <= 5)
      names.push_back(line.substr(at, line.find_first_of(" ", at) - at));
  return names;
}

TEST(Help, EveryCommandExplainsItself) {
  const std::string main = out({"--help"});
  for (const std::string& command : kCommands) {
    EXPECT_SAYS(main, "\n  " + command + " ");
    const std::string help = out({command, "--help"});
    EXPECT_SAYS(help, "Usage: cavi " + command);
    EXPECT_SAYS(help, "Examples:");
    EXPECT_GE(options_in(help).size(), 1u);
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 108u) << line;
  }
  EXPECT_FALSE(contains(main, "\n  man "));
}

TEST(Info, ShowsTheBuildAndItsDevices) {
  const std::string text = out({"info"});
  EXPECT_SAYS(text, "version           0.");
  EXPECT_SAYS(text, "instruction set   ");
  const json j = json::parse(out({"info", "--json"}));
  std::vector<std::string> devices;
  for (const cavi::Device& d : cavi::Device::all()) {
    devices.push_back(d.name());
    EXPECT_SAYS(text, d.name());
  }
  EXPECT_EQ(j.at("devices"), json(devices));
  EXPECT_TRUE(j.at("hdf5").is_boolean());
}

TEST(Info, ShowsAModel) {
  const Folder folder;
  const std::string model = folder.path / "m.npz";
  const std::string fitted = out({"fit", kFaithful, "--n-components", "3", "--covariance-type", "diag",
                                  "--weight-prior", "pitman-yor", "--discount", "0.25", "--concentration", "0.5",
                                  "--mean-prior", "zero", "--max-iter", "500", "--save", model});
  const std::string text = out({"info", model});
  EXPECT_SAYS(text, "model             " + model + ": 3 components, 2 features\n");
  EXPECT_SAYS(text, "covariances       diag\n");
  EXPECT_SAYS(text, "weight prior      pitman-yor, concentration 0.5, discount 0.25\n");
  EXPECT_SAYS(text, "mean prior        0, 0, worth 1 rows\n");
  EXPECT_SAYS(text, "covariance prior  covariance of the rows, worth 2 rows\n");
  EXPECT_SAYS(text, "fit               " + fitted.substr(0, fitted.find('\n')));
  EXPECT_SAYS(text, fitted.substr(fitted.find("component   weight")));  // with the names of the columns
  const json j = json::parse(out({"info", model, "--json"}));
  EXPECT_EQ(j.at("means").size(), 3u);
  EXPECT_EQ(j.at("rows"), 272);
}

TEST(Info, ShowsAModelOfCounts) {
  const Folder folder;
  const std::string model = folder.path / "m.npz", rows = folder.write("x.csv", "1,0\n2,5\n0,4\n3,1\n");
  out({"fit", rows, "--family", "poisson", "--n-components", "2", "--component-prior", "1,0.5", "--tol", "0",
       "--max-iter", "3", "--save", model});
  const std::string text = out({"info", model});
  EXPECT_SAYS(text, "family            poisson\n");
  EXPECT_SAYS(text, "component prior   1, 0.5\n");
  EXPECT_FALSE(contains(text, "covariance")) << text;
}

TEST(Info, RefusesWhatIsNoModel) {
  EXPECT_SAYS(refusal({"info", kFaithful}), kFaithful);
  EXPECT_EQ(refusal({"info", "none.npz"}), "none.npz: No such file or directory");
}

// ---- convert --------------------------------------------------------------------------------------------------------

TEST(Convert, EveryWayAndBackKeepsEveryBit) {
  const Folder folder;
  std::vector<double> values{0.1, -1e300, 3, 1.0 / 3, 5e-324, 6.02e23};
  for (const char* type : {"f8", "f4"}) {
    const bool narrow = std::string(type) == "f4";
    if (narrow) values = {0.1, -1e30, 3, 1.0 / 3, 1e-42, 6.02e23};
    for (double& v : values) v = narrow ? double(float(v)) : v;
    const std::string npy = folder.path / "a.npy", csv = folder.path / "a.csv", raw = folder.path / "a.bin",
                      back = folder.path / "b.npy";
    if (narrow)
      cavi::write_npy(npy, std::vector<float>(values.begin(), values.end()), 3, 2);
    else
      cavi::write_npy(npy, values, 3, 2);
    EXPECT_EQ(out({"convert", npy, csv}), "");
    EXPECT_EQ(out({"convert", npy, raw}), "");
    EXPECT_EQ(bytes_of(raw).size(), narrow ? 24u : 48u);
    EXPECT_EQ(out({"convert", csv, back, "--type", type}), "");
    EXPECT_EQ(bytes_of(back), bytes_of(npy)) << type;
    EXPECT_EQ(out({"convert", raw, back, "--raw", fmt::format("{}:x2", type)}), "");
    EXPECT_EQ(bytes_of(back), bytes_of(npy)) << type;
  }
  EXPECT_EQ(folder.size(), 4);
}

TEST(Convert, KeepsNamesAndTakesColumns) {
  const Folder folder;
  const std::string from = folder.write("a.csv", "one,\"two, too\",three\n1,2,3\n4,5,6\n"), to = folder.path / "b.csv";
  out({"convert", from, to});
  EXPECT_EQ(bytes_of(to), "one,\"two, too\",three\n1,2,3\n4,5,6\n");
  out({"convert", from, to, "--columns", "three,0"});
  EXPECT_EQ(bytes_of(to), "three,one\n3,1\n6,4\n");
  const std::string npy = folder.path / "b.npy";
  out({"convert", from, npy, "--type", "i4", "--columns", "2"});
  EXPECT_EQ(cavi::read_labels(npy), (std::vector<std::int32_t>{3, 6}));
}

TEST(Convert, RefusesByName) {
  const Folder folder;
  const std::string from = folder.write("a.csv", "1,2.5\n3,4\n"), to = folder.path / "b.npy";
  EXPECT_EQ(refusal({"convert"}), "DATA is required: a .npy or .csv file; OUT is required: a .npy, .csv or .bin file");
  EXPECT_EQ(refusal({"convert", from, to, "--type", "u1"}), "--type: 'u1' is none of f4, f8, i4");
  EXPECT_EQ(refusal({"convert", from, to, "--type", "i4"}),
            from + ": row 0, column 1 (from 0): 2.5 is not a 32-bit integer");
  const std::string large = folder.write("l.csv", "1,2\n3,-1e150\n");
  EXPECT_EQ(refusal({"convert", large, to, "--type", "f4"}),
            large + ": row 1, column 1 (from 0): -1e+150 is too large for f4, which ends at 3.4e38; f8 holds it");
  out({"convert", folder.write("i.csv", "inf\n-inf\n3.4028235e38\n"), folder.path / "i.npy", "--type", "f4"});
  EXPECT_EQ(cavi::open_matrix(folder.path / "i.npy").to_vector()[1], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(refusal({"convert", from, "b.xls"}), "b.xls: the name ends in none of .npy, .csv, .bin");
  EXPECT_EQ(folder.size(), 4);  // three inputs and what the last one became
}

// ---- options from a file --------------------------------------------------------------------------------------------

TEST(Config, StandsForOptionsThatAreLeftOut) {
  const Folder folder;
  const std::string config = folder.write("c.ini",
                                          "# a fit\r\n\n"
                                          "  n-components = 3   # groups\n"
                                          "covariance-type= \"diag\"\n"
                                          "tol =0\n"
                                          "max-iter = '7'\n"
                                          "quiet = false\n"
                                          "json = true");
  const json expected =
      fit_json({kFaithful, "--n-components", "3", "--covariance-type", "diag", "--tol", "0", "--max-iter", "7"});
  EXPECT_EQ(json::parse(out({"fit", kFaithful, "--config", config})).at("elbo_trace"), expected.at("elbo_trace"));
  EXPECT_EQ(fit_json({kFaithful, "--config", config, "--max-iter", "2"}).at("n_iter"), 2) << "the command line wins";
}

TEST(Config, MistakesAreNamedByLine) {
  const Folder folder;
  const auto says = [&](const std::string& text) {
    const std::string file = folder.write("c.ini", text), line = refusal({"fit", kFaithful, "--config", file});
    EXPECT_TRUE(line.starts_with(file + ": ")) << line;
    return line.substr(file.size() + 2);
  };
  EXPECT_EQ(says("n-components = 3\n\ncomponents = 4\n"), "line 3: cavi fit has no option 'components' to be set");
  EXPECT_EQ(says("config = x\n"), "line 1: cavi fit has no option 'config' to be set");
  EXPECT_EQ(says("n-components 3\n"), "line 1: expected NAME = VALUE");
  EXPECT_EQ(says("tol = 1\ntol = 2\n"), "line 2: 'tol' is set twice");
  EXPECT_EQ(says("quiet = yes\n"), "line 1: quiet must be true or false, not 'yes'");
  folder.write("c.ini", "n-components = 3.5");
  EXPECT_EQ(refusal({"fit", kFaithful, "--config", folder.path / "c.ini"}),
            "--n-components: '3.5' is not a whole number");
  EXPECT_EQ(refusal({"fit", kFaithful, "--config", "none.ini"}), "none.ini: No such file or directory");
}

// ---- what shells and manuals are told -------------------------------------------------------------------------------

TEST(Completion, KnowsEveryOptionOfEveryCommand) {
  for (const char* shell : {"bash", "zsh"}) {
    const std::string script = out({"completion", shell});
    for (const std::string& command : kCommands) {
      EXPECT_SAYS(script, command);
      for (const std::string& option : options_in(out({command, "--help"}))) EXPECT_SAYS(script, option);
    }
  }
  EXPECT_EQ(refusal({"completion"}), "SHELL is required: bash or zsh");
  EXPECT_EQ(refusal({"completion", "fish"}), "SHELL: 'fish' is none of bash, zsh");
}

/// What bash offers for the last of these words.
std::string bash_offers(const Folder& folder, const std::string& words, int last) {
  folder.write("completion", out({"completion", "bash"}));
  folder.write(
      "script",
      fmt::format("source ./completion\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_cavi\necho -n ${{COMPREPLY[*]}} > offers\n",
                  words, last));
  EXPECT_EQ(std::system(("cd '" + folder.path.string() + "' && bash ./script").c_str()), 0);
  return bytes_of(folder.path / "offers");
}

TEST(Completion, WorksInBash) {
  const Folder folder;
  EXPECT_EQ(bash_offers(folder, "cavi pre", 1), "predict");
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --n-c", 3), "--n-components");
  EXPECT_EQ(bash_offers(folder, "cavi predict --pro", 2), "--proba");
  EXPECT_EQ(bash_offers(folder, "cavi predict mod", 2), "");  // the name of a file
}

TEST(Completion, OffersTheWordsThatAnOptionTakes) {
  const Folder folder;
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --family po", 4), "poisson");
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --covariance-type ''", 4), "full tied diag spherical");
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --init k-", 4), "k-means++");
  EXPECT_EQ(bash_offers(folder, "cavi predict m.npz x.csv --device c", 5), "cpu cuda");
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --init labels.n", 4), "");  // the name of a file
  EXPECT_EQ(bash_offers(folder, "cavi fit x.csv --seed ''", 4), "");
  const std::string zsh = out({"completion", "zsh"});
  EXPECT_SAYS(zsh, ":PRIOR:(dirichlet dirichlet-process pitman-yor)'");
  EXPECT_SAYS(zsh, ":INIT:{compadd kmeans k-means++ random random-from-data; _files}'");
}

// An offer is of an option that there is, and every word of it is taken.
TEST(Completion, OffersNothingThatIsRefused) {
  std::istringstream lines(out({"completion", "bash"}));
  const std::string help = out({"fit", "--help"}) + out({"convert", "--help"});
  int options = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t values = line.find(") values=\"");
    if (values == std::string::npos) continue;
    const std::string option = line.substr(line.find('-'), values - line.find('-'));
    EXPECT_SAYS(help, option);
    std::istringstream words(line.substr(values + 10, line.rfind('"') - values - 10));
    for (std::string word; words >> word; ++options) {
      if (option == "--type" || word == "cuda") continue;
      const auto run = run_cavi({"fit", "none.csv", "--n-components", "2", option, word});
      EXPECT_FALSE(contains(run.err, option)) << run.err;
      EXPECT_SAYS(run.err, "none.csv");
    }
  }
  EXPECT_GT(options, 20);
}

TEST(Man, IsAPageThatTroffReads) {
  const std::string page = out({"man"});
  EXPECT_TRUE(page.starts_with(".TH CAVI 1 "));
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with('.')) {
      const std::string request = line.substr(1, line.find(' ') - 1);
      EXPECT_TRUE((std::set<std::string>{"TH", "SH", "PP", "TP", "B", "br", "nf", "fi"}).contains(request)) << line;
    }
  for (const std::string& command : kCommands)
    for (std::string option : options_in(out({command, "--help"}))) {
      for (std::size_t at = 0; (at = option.find('-', at)) != std::string::npos; at += 2) option.replace(at, 1, "\\-");
      EXPECT_SAYS(page, "\\fB" + option + "\\fR");
    }
}

}  // namespace
