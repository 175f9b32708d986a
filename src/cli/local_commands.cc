#include "cli/local_commands.h"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "app/api_document.h"
#include "cli/api.h"
#include "ml/nab.h"
#include "service/system.h"
#include "settings/show.h"

namespace seedcore::cli {
namespace {

Result<void> WriteFile(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (out.flush()) return {};
  return Fail(ErrorCode::kUnavailable, "cannot write the file", path.string());
}

constexpr std::string_view kApiPreamble =
    "# API\n\nWritten by `make docs` from the operation tables; `GET /openapi.json` serves the same as OpenAPI 3.1.\n\n"
    "The services listen on port 8000, the task API and the probes of the process on 8002. Errors are\n"
    "`{\"error\":{\"code\",\"message\",\"path\"}}` with the status of their code. Where tokens are configured, "
    "requests\n"
    "carry `Authorization: Bearer TOKEN`.\n\n";

}  // namespace

int RunConfig(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  if (arguments.Has("json")) {
    PrintJson(settings::ConfigShowJson(*settings));
  } else {
    fmt::print("{}", settings::ConfigShowText(*settings));
  }
  return kExitOk;
}

int RunNab(const Arguments& arguments) {
  const auto summary = ml::WriteNabScores(arguments.Get("data"), arguments.Get("out"));
  if (!summary) return ReportError({ErrorCode::kInvalidArgument, summary.error(), ""});
  if (arguments.Has("json")) {
    PrintJson(json::object{{"files", summary->files}, {"points", summary->points}, {"alarms", summary->alarms}});
  } else {
    fmt::print("{} files, {} points, {} alarms\n", summary->files, summary->points, summary->alarms);
  }
  return kExitOk;
}

int RunVersion(const Arguments& arguments) {
  if (arguments.Has("json")) {
    PrintJson(json::object{{"version", service::Version()}});
  } else {
    fmt::print("seedcore {}\n", service::Version());
  }
  return kExitOk;
}

int RunCompletion(const Arguments& arguments) {
  const auto script = CompletionScript(arguments.Get("SHELL"));
  if (!script) return ReportError(script.error());
  fmt::print("{}", *script);
  return kExitOk;
}

int RunDocs(const Arguments& arguments) {
  const std::filesystem::path folder = arguments.Get("out");
  const std::string api = std::string(kApiPreamble) + service::ApiMarkdown(app::ApiServices());
  for (const auto& [name, text] : {std::pair("settings.md", settings::SettingsMarkdown()), {"api.md", api}}) {
    if (const auto written = WriteFile(folder / name, text); !written) return ReportError(written.error());
    fmt::print("{}\n", (folder / name).string());
  }
  return kExitOk;
}

}  // namespace seedcore::cli
