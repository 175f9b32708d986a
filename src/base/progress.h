#pragma once

#include <string>

#include "base/json.h"

namespace seedcore {

/// How far a piece of work has come.
struct Progress {
  double fraction = 0.0;  ///< 0 to 1
  std::string note;       ///< a short text for people, up to 1000 bytes; may be empty
  json::value data;       ///< anything small, up to 8 KiB as text; null: none
};

/// Where work that goes on reports how far it is. Reporting is cheap and never fails: the last report counts, and not
/// more than about one each second is written. Any thread.
class ProgressReporter {
 public:
  virtual ~ProgressReporter() = default;
  virtual void Report(Progress progress) = 0;
};

}  // namespace seedcore
