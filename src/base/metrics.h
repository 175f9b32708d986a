#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace seedcore {

/// A counter, gauge or histogram of the Prometheus data model. Handles live as long as their Metrics and may be used
/// from any thread without a lock of ours.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1.0) = 0;
  [[nodiscard]] virtual double Value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double by) = 0;
  [[nodiscard]] virtual double Value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

/// All metrics of one process, exposed in the Prometheus text format. Asking twice for the same name and labels gives
/// the same handle. Look handles up once and keep them: the look-up takes a lock. Thread-safe.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter& GetCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& GetGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  /// `bounds`: ascending upper bounds of the buckets, in the unit of the metric.
  Histogram& GetHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                          const Labels& labels = {});

  /// Prometheus text exposition format 0.0.4.
  [[nodiscard]] std::string Expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 1 ms to 10 s, for durations in seconds.
[[nodiscard]] const std::vector<double>& DurationBuckets();

}  // namespace seedcore
