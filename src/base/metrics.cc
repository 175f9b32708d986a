#include "base/metrics.h"

#include <mutex>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace seedcore {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Increment(double by) override { counter_.Increment(by); }
  double Value() const override { return counter_.Value(); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double by) override { gauge_.Increment(by); }
  double Value() const override { return gauge_.Value(); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

using Key = std::pair<std::string, Metrics::Labels>;

}  // namespace

struct Metrics::Impl {
  std::mutex mutex;  // guards the three maps
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::map<Key, PrometheusCounter> counters;
  std::map<Key, PrometheusGauge> gauges;
  std::map<Key, PrometheusHistogram> histograms;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::GetCounter(const std::string& name, const std::string& help, const Labels& labels) {
  const std::scoped_lock lock(impl_->mutex);
  const Key key(name, labels);
  if (const auto found = impl_->counters.find(key); found != impl_->counters.end()) return found->second;
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
  return impl_->counters.try_emplace(key, family.Add(labels)).first->second;
}

Gauge& Metrics::GetGauge(const std::string& name, const std::string& help, const Labels& labels) {
  const std::scoped_lock lock(impl_->mutex);
  const Key key(name, labels);
  if (const auto found = impl_->gauges.find(key); found != impl_->gauges.end()) return found->second;
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
  return impl_->gauges.try_emplace(key, family.Add(labels)).first->second;
}

Histogram& Metrics::GetHistogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                                 const Labels& labels) {
  const std::scoped_lock lock(impl_->mutex);
  const Key key(name, labels);
  if (const auto found = impl_->histograms.find(key); found != impl_->histograms.end()) return found->second;
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
  return impl_->histograms.try_emplace(key, family.Add(labels, bounds)).first->second;
}

std::string Metrics::Expose() const { return prometheus::TextSerializer().Serialize(impl_->registry.Collect()); }

const std::vector<double>& DurationBuckets() {
  static const std::vector<double> bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};
  return bounds;
}

}  // namespace seedcore
