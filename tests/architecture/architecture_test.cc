// Reads the include graph of src/ and fails on what the architecture forbids.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

/// Bottom up: a room may include itself and the rooms before it.
const std::vector<std::string> kRooms{"base",      "settings",    "net",     "ray",   "store",  "queue",
                                      "memory",    "graph",       "ml",      "state", "energy", "organism",
                                      "cognitive", "coordinator", "service", "app",   "cli"};

struct SourceFile {
  std::string path;  // below src/
  std::string room;
  std::string text;
  bool is_test = false;
};

std::string ReadFile(const fs::path& path) {
  const std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

const std::vector<SourceFile>& Sources() {
  static const std::vector<SourceFile> sources = [] {
    std::vector<SourceFile> found;
    const fs::path root = fs::path(SEEDCORE_SOURCE_DIR) / "src";
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".h" && path.extension() != ".cc") continue;
      const fs::path relative = fs::relative(path, root);
      const std::string stem = path.stem().string();
      found.push_back({relative.string(), relative.begin()->string(), ReadFile(path),
                       stem.ends_with("_test") || stem.ends_with("_fuzz")});
    }
    return found;
  }();
  return sources;
}

std::size_t Level(const std::string& room) {
  return static_cast<std::size_t>(std::ranges::find(kRooms, room) - kRooms.begin());
}

/// The text without comments and string literals, so that neither can look like a call.
std::string CodeOnly(const std::string& text) {
  static const std::regex noise(R"(//[^\n]*|/\*[\s\S]*?\*/|"(?:[^"\\\n]|\\.)*")", std::regex::optimize);
  std::string code;
  std::regex_replace(std::back_inserter(code), text.begin(), text.end(), noise, " ");
  return code;
}

TEST(Architecture, EveryFolderIsAKnownRoom) {
  for (const SourceFile& file : Sources()) {
    EXPECT_LT(Level(file.room), kRooms.size()) << file.path << " is in a folder that kRooms does not list";
  }
}

TEST(Architecture, IncludesOnlyPointDown) {
  static const std::regex include(R"re(#include "([a-z_]+)/[^"]*")re");
  for (const SourceFile& file : Sources()) {
    for (std::sregex_iterator it(file.text.begin(), file.text.end(), include), end; it != end; ++it) {
      const std::string target = (*it)[1];
      EXPECT_LE(Level(target), Level(file.room))
          << file.path << " includes " << (*it)[0] << ": " << target << " is above " << file.room;
    }
  }
}

TEST(Architecture, ClocksRandomnessAndSleepStayInTheEnvironment) {
  static const std::regex forbidden(
      R"(\b(\w+_clock::now|s?rand\s*\(|random_device|this_thread::sleep_\w+|usleep|nanosleep|\bsleep\s*\()|[^_\w]time\s*\(\s*(0|NULL|nullptr)\s*\))");
  const std::set<std::string> allowed{"base/env.cc"};
  for (const SourceFile& file : Sources()) {
    if (allowed.contains(file.path)) continue;
    const std::string code = CodeOnly(file.text);
    std::smatch match;
    EXPECT_FALSE(std::regex_search(code, match, forbidden))
        << file.path << " uses " << match.str() << "; take it from Env";
  }
}

TEST(Architecture, EveryRoomHasTests) {
  std::map<std::string, bool> tested;
  for (const SourceFile& file : Sources()) tested[file.room] |= file.is_test;
  for (const auto& [room, has_test] : tested) EXPECT_TRUE(has_test) << room << " has no *_test.cc";
}

/// All files of `folder` below the project whose names end in `ending`, one after the other.
std::string AllText(const std::string& folder, const std::string& ending) {
  std::string text;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(SEEDCORE_SOURCE_DIR) / folder)) {
    if (entry.path().string().ends_with(ending)) text += ReadFile(entry.path());
  }
  return text;
}

TEST(Architecture, EveryEnvironmentVariableIsDocumented) {
  static const std::regex name(
      R"re("((?:SEEDCORE|RAY|SERVE|ORGANISM|DISPATCHER|BOOTSTRAP|EXIT|FORCE|ENABLE|PIN|KUBERAY|FQ|GRPC)_[A-Z0-9_]+)")re");
  // Read by tests alone.
  const std::set<std::string> ours{"SEEDCORE_SOURCE_DIR", "SEEDCORE_UPDATE_DOCS"};
  std::string code = AllText("python", ".py");
  for (const SourceFile& file : Sources()) {
    if (!file.is_test) code += file.text;
  }
  const std::string documented = AllText("docs", ".md");
  for (std::sregex_iterator it(code.begin(), code.end(), name), end; it != end; ++it) {
    const std::string variable = (*it)[1];
    if (ours.contains(variable)) continue;
    EXPECT_NE(documented.find(variable), std::string::npos) << variable << " is nowhere in docs/";
  }
}

TEST(Architecture, HeavyHeadersStayBehindOneSourceFile) {
  // Header prefix -> how many files may include it.
  const std::map<std::string, std::size_t> limits{{"boost/beast", 4}, {"boost/asio", 4}, {"yaml-cpp/", 4},
                                                  {"prometheus/", 1}, {"spdlog/", 1},    {"CLI/", 2},
                                                  {"grpcpp/", 1},     {"grpc/", 1},      {"libpq-fe.h", 2}};
  for (const auto& [prefix, limit] : limits) {
    std::vector<std::string> users;
    for (const SourceFile& file : Sources()) {
      if (file.is_test || file.text.find("#include <" + prefix) == std::string::npos) continue;
      users.push_back(file.path);
      EXPECT_TRUE(file.path.ends_with(".cc") || file.path.ends_with("_internal.h"))
          << file.path << " spreads " << prefix << " to everyone who includes it";
    }
    EXPECT_LE(users.size(), limit) << prefix << " is included by more files than agreed";
  }
}

}  // namespace
