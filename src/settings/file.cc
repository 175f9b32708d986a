#include "settings/file.h"

#include <map>

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

namespace seedcore::settings {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxEntries = 1000;
constexpr int kMaxDepth = 4;

int Line(const YAML::Mark& mark) { return mark.line + 1; }

std::unexpected<Error> FailAt(int line, std::string_view message) {
  return Fail(ErrorCode::kMalformed, fmt::format("line {}: {}", line, message));
}

class Flattener {
 public:
  Result<void> Add(const std::string& prefix, const YAML::Node& mapping, int depth) {
    for (const auto& member : mapping) {
      const int line = Line(member.first.Mark());
      if (!member.first.IsScalar()) return FailAt(line, "a key must be a plain word");
      const std::string& name = member.first.Scalar();
      SEEDCORE_RETURN_IF_ERROR(AddMember(prefix.empty() ? name : prefix + "." + name, member.second, line, depth));
    }
    return {};
  }

  std::vector<FileEntry> entries;

 private:
  Result<void> AddMember(const std::string& key, const YAML::Node& value, int line, int depth) {
    if (value.IsNull()) return {};
    if (value.IsMap()) {
      if (depth == kMaxDepth) return FailAt(line, fmt::format("`{}` is nested too deeply", key));
      return Add(key, value, depth + 1);
    }
    FileEntry entry{.key = key, .value = {}, .line = line};
    if (value.IsSequence()) {
      entry.value.items.emplace();
      for (const auto& item : value) {
        if (!item.IsScalar())
          return FailAt(Line(item.Mark()), fmt::format("`{}`: expected a list of plain values", key));
        entry.value.items->push_back(item.Scalar());
        entry.value.text += (entry.value.text.empty() ? "" : ",") + item.Scalar();
      }
    } else {
      entry.value.text = value.Scalar();
    }
    const auto [earlier, fresh] = lines_.try_emplace(key, line);
    if (!fresh) return FailAt(line, fmt::format("`{}` is set twice, first on line {}", key, earlier->second));
    if (entries.size() == kMaxEntries) return FailAt(line, fmt::format("more than {} keys", kMaxEntries));
    entries.push_back(std::move(entry));
    return {};
  }

  std::map<std::string, int> lines_;
};

}  // namespace

Result<std::vector<FileEntry>> ParseSettingsFile(std::string_view text) {
  if (text.size() > kMaxFileBytes) return Fail(ErrorCode::kMalformed, fmt::format("more than {} bytes", kMaxFileBytes));
  try {
    const YAML::Node root = YAML::Load(std::string(text));
    if (!root || root.IsNull()) return std::vector<FileEntry>{};
    if (!root.IsMap()) return FailAt(Line(root.Mark()), "expected a mapping of settings");
    Flattener flattener;
    SEEDCORE_RETURN_IF_ERROR(flattener.Add("", root, 1));
    return std::move(flattener.entries);
  } catch (const YAML::Exception& e) {
    return FailAt(Line(e.mark), e.msg);
  }
}

}  // namespace seedcore::settings
