// Capability assessment: arithmetic on what is wanted, what is there and what was measured.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "cognitive/rules/cues.h"
#include "cognitive/rules/evidence.h"
#include "cognitive/rules/rules.h"
#include "cognitive/text.h"

namespace seedcore::cognitive::rules {
namespace {

constexpr std::size_t kMaxCapabilities = 500;
constexpr std::size_t kRecommendations = 3;
constexpr double kLarge = 0.5;

/// A level as a number, a bool, or an object with `level`, `score` or `value`.
std::optional<double> Level(const json::value& value) {
  if (value.is_bool()) return value.get_bool() ? 1.0 : 0.0;
  if (value.is_number()) return JsonToDouble(value);
  const json::object* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  for (const char* name : {"level", "score", "value"}) {
    if (const json::value* inner = object->if_contains(name)) return inner->is_object() ? std::nullopt : Level(*inner);
  }
  return std::nullopt;
}

class Assessor {
 public:
  explicit Assessor(const ReasoningRequest& request) : request_(request) {}

  Result<CapabilityAssessment> Run() {
    const json::object& targets = request_.target_capabilities;
    if (targets.empty() || targets.size() > kMaxCapabilities) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} capabilities", kMaxCapabilities),
                  "target_capabilities");
    }
    for (const auto& member : targets) SEEDCORE_RETURN_IF_ERROR(Compare(std::string(member.key()), member.value()));
    std::ranges::sort(answer_.capability_gaps, [](const CapabilityGap& a, const CapabilityGap& b) {
      return a.relative_gap != b.relative_gap ? a.relative_gap > b.relative_gap : a.capability < b.capability;
    });
    Recommend();
    answer_.confidence = Confidence(known_, wanted_);
    answer_.evidence = std::move(book_).Take();
    return std::move(answer_);
  }

 private:
  Result<void> Compare(const std::string& name, const json::value& wanted) {
    const std::optional<double> target = Level(wanted);
    if (!target) {
      return Fail(ErrorCode::kInvalidArgument,
                  "expected a number, or an object with `level`, got " + DescribeJson(wanted),
                  "target_capabilities." + name);
    }
    wanted_ += 1;
    CapabilityGap gap{.capability = name, .target = *target};
    gap.evidence.push_back(book_.Add("context:target_capabilities." + name, fmt::format("{}", *target)));
    const json::value* there = request_.current_capabilities.if_contains(name);
    const std::optional<double> claimed = there == nullptr ? std::nullopt : Level(*there);
    const json::value* figure = request_.performance_data.if_contains(name);
    const std::optional<double> measured = figure == nullptr ? std::nullopt : Level(*figure);
    if (there != nullptr && !claimed) {
      return Fail(ErrorCode::kInvalidArgument,
                  "expected a number, or an object with `level`, got " + DescribeJson(*there),
                  "current_capabilities." + name);
    }
    if (claimed) gap.evidence.push_back(book_.Add("context:current_capabilities." + name, fmt::format("{}", *claimed)));
    if (measured) gap.evidence.push_back(book_.Add("context:performance_data." + name, fmt::format("{}", *measured)));
    // A measurement says more than a claim.
    gap.current = measured.value_or(claimed.value_or(0.0));
    known_ += measured || claimed ? 1.0 : 0.0;
    gap.gap = Finite(gap.target - gap.current);
    if (gap.gap <= 0) return {};
    gap.relative_gap = gap.target == 0 ? 1.0 : Round3(Finite(gap.gap / std::abs(gap.target)));
    Plan(gap, claimed, measured);
    answer_.capability_gaps.push_back(std::move(gap));
    return {};
  }

  void Plan(const CapabilityGap& gap, std::optional<double> claimed, std::optional<double> measured) {
    std::string text;
    if (!claimed && !measured) {
      text = fmt::format("Find out how far {} is: nothing is known, {:.4g} is wanted.", gap.capability, gap.target);
    } else if (claimed && measured && *measured < *claimed) {
      text = fmt::format("Raise {} from a measured {:.4g} (claimed: {:.4g}) to {:.4g}.", gap.capability, *measured,
                         *claimed, gap.target);
    } else {
      text = fmt::format("Raise {} from {:.4g} to {:.4g}.", gap.capability, gap.current, gap.target);
    }
    plans_.emplace_back(gap.relative_gap, Statement{std::move(text), gap.evidence});
  }

  void Recommend() {
    std::ranges::sort(plans_, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second.text < b.second.text;
    });
    for (auto& [relative, statement] : plans_) answer_.improvement_plan.push_back(std::move(statement));
    const auto& gaps = answer_.capability_gaps;
    for (std::size_t i = 0; i < std::min(gaps.size(), kRecommendations); ++i) {
      answer_.priority_recommendations.push_back(
          {fmt::format("{} {}: {:.0f} % of the target is missing.", gaps[i].relative_gap >= kLarge ? "First" : "Next",
                       gaps[i].capability, gaps[i].relative_gap * 100),
           gaps[i].evidence});
    }
  }

  const ReasoningRequest& request_;
  EvidenceBook book_;
  CapabilityAssessment answer_;
  std::vector<std::pair<double, Statement>> plans_;
  double wanted_ = 0.0;
  double known_ = 0.0;
};

}  // namespace

Result<CapabilityAssessment> AssessCapabilities(const ReasoningRequest& request, const Knowledge&) {
  return Assessor(request).Run();
}

}  // namespace seedcore::cognitive::rules
