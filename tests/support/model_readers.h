#pragma once

#include "store/store.h"

// Internal to the model of the store.
namespace seedcore::test {

[[nodiscard]] bool Matches(const store::Task& task, const store::TaskFilter& filter);

}  // namespace seedcore::test
