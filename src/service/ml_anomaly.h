#pragma once

#include <cstddef>
#include <functional>

#include "service/ml.h"

namespace seedcore::service {

/// The series part of /ml/detect/anomaly, without clock: checks the request, runs the detector over the whole series
/// and reports the anomalous points from `report_from` on. kPayloadTooLarge above `max_points`, kInvalidArgument
/// for an empty series, a number that is not finite, or timestamps that do not fit; or the error of `check`, which is
/// asked now and then whether to go on.
[[nodiscard]] Result<AnomalyResponse> DetectInSeries(const AnomalyRequest& request,
                                                     const std::function<Result<void>()>& check = {},
                                                     std::size_t max_points = kMaxSeriesPoints);

}  // namespace seedcore::service
