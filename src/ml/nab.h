#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>

#include "ml/anomaly.h"

namespace seedcore::ml {

/// What a run over a NAB corpus did.
struct NabSummary {
  std::size_t files = 0;
  std::size_t points = 0;
  std::size_t alarms = 0;  ///< Points with a score of at least the settings' threshold.
};

/// Scores every CSV file of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015) below `data_dir`.
///
/// Input files have a header row and the columns timestamp ("YYYY-MM-DD hh:mm:ss") and value. For
/// each one `out_dir` gets a file of the same relative path with the columns timestamp, value and
/// anomaly_score, one row per input row. Every file gets a new detector with the same settings.
/// By default only alarms count, for the benchmark pays for the first detection of an event and fines
/// every other. Error: a directory or file that cannot be read or written, or a malformed row (named by file and
/// line).
std::expected<NabSummary, std::string> WriteNabScores(const std::filesystem::path& data_dir,
                                                      const std::filesystem::path& out_dir,
                                                      AnomalySettings settings = {.report = Reporting::kEvents});

}  // namespace seedcore::ml
