#include <csignal>
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "cli/command.h"

int main(int argc, char** argv) {
  // A reader that closed our output ends us like any other filter, without a signal in the middle of a write.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const seedcore::cli::Parsed parsed = seedcore::cli::Parse(argc, argv);
    if (parsed.command != nullptr) return parsed.command->run(parsed.arguments);
    fmt::print(parsed.exit_code == 0 ? stdout : stderr, "{}", parsed.text);
    return parsed.exit_code;
  } catch (const std::exception& error) {
    // Not fmt::print, which throws when the terminal is gone as well.
    std::fprintf(stderr, "seedcore: internal: %s\n", error.what());
    return seedcore::cli::kExitFailed;
  }
}
