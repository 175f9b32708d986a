#include <utility>

#include <fmt/format.h>

#include "service/coordinator_impl.h"
#include "service/edge.h"

/// The rules of the Coordinator service: what is in force, and the versions that replicas share.
namespace seedcore::service {

using coordinator::Signal;

namespace {

constexpr int kMaxShownStreams = 100;

const std::optional<Error>& LastError(const coordinator::RuleBook::Status& book) {
  return book.last_error ? book.last_error : book.shared_error;
}

PredicateVersionInfo InfoOf(const store::RuleVersion& version) {
  return {version.version, !version.text, version.note, version.created_at};
}

}  // namespace

coordinator::RuleSources RuleSourcesOf(store::RuleStore& rules, std::filesystem::path file) {
  using coordinator::SharedRules;
  return {.shared = [&rules](std::int64_t known) -> Result<std::optional<SharedRules>> {
            SEEDCORE_ASSIGN_OR_RETURN(auto newest, rules.NewestRules(known));
            if (!newest) return std::nullopt;
            return SharedRules{newest->version, std::move(newest->text)};
          },
          .file = std::move(file)};
}

std::string CoordinatorService::RulesVerdict() const {
  const auto book = impl_->deps.rules.status();
  const auto& error = LastError(book);
  return error ? ToString(*error) : std::string("ok");
}

Result<PredicateStatus> CoordinatorService::PredicatesStatus(const Empty&, const CallContext&) {
  const auto rules = impl_->deps.rules.Current();
  const auto book = impl_->deps.rules.status();
  PredicateStatus out;
  PredicateConfigStatus& config = out.predicate_config;
  config.version = TextOf(rules->metadata, "version");
  config.commit = TextOf(rules->metadata, "commit");
  config.loaded_at = rules->loaded_at;
  config.file = rules->source;
  config.file_hash = rules->hash;
  config.routing_rules = static_cast<std::int64_t>(rules->routing.size());
  config.mutation_rules = static_cast<std::int64_t>(rules->mutations.size());
  config.routing_enabled = rules->routing_enabled;
  config.mutations_enabled = rules->mutations_enabled;
  config.gpu_guard_enabled = rules->gpu_guard_enabled;
  config.is_fallback = !impl_->deps.rules.file().empty() && rules->source == "built-in";
  config.store_version = rules->shared_version;
  config.loads = static_cast<std::int64_t>(book.loads);
  config.failed_loads = static_cast<std::int64_t>(book.failures);
  if (const auto& error = LastError(book)) config.last_error = ToString(*error);

  // The priority and complexity of a task are no measurement of now.
  coordinator::Signals signals = impl_->MakeSignals({}, 5, 0.5);
  out.signals = signals.ToJson();
  out.signals.erase("task_priority");
  out.signals.erase("task_complexity");
  out.escalation_ratio = signals.Get(Signal::kEscalationRatio);

  SEEDCORE_ASSIGN_OR_RETURN(const auto streams, impl_->deps.streams.List("ocps", kMaxShownStreams));
  for (const auto& [stream, stored] : streams) {
    if (const auto state = FromJson<coordinator::OcpsState>(stored)) {
      out.ocps[stream] = {.stream = stream, .cusum = state->cusum, .fast = state->fast, .escalated = state->escalated};
    }
  }
  return out;
}

Result<PredicateConfigResponse> CoordinatorService::PredicatesConfig(const Empty&, const CallContext&) {
  return FromJson<PredicateConfigResponse>(coordinator::ToJson(*impl_->deps.rules.Current()));
}

Result<PredicateReloadResponse> CoordinatorService::ReloadPredicates(const Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(impl_->deps.rules.Load());
  const auto rules = impl_->deps.rules.Current();
  return PredicateReloadResponse{.success = true,
                                 .message = fmt::format("{} routing rules and {} mutation rules from {}",
                                                        rules->routing.size(), rules->mutations.size(), rules->source)};
}

Result<PredicateVersionInfo> CoordinatorService::PutPredicates(const PredicatesPut& request, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(coordinator::ParseRules(request.yaml, "yaml"));
  return ShareRules({request.yaml, request.note}, request.expected_version);
}

Result<PredicateVersionInfo> CoordinatorService::WithdrawPredicates(const PredicatesWithdraw& request,
                                                                    const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(impl_->deps.rules.ReadOwn());
  return ShareRules({std::nullopt, request.note}, request.expected_version);
}

Result<PredicateVersionInfo> CoordinatorService::ShareRules(const store::NewRules& rules,
                                                            std::optional<std::int64_t> expected) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto put, impl_->deps.shared_rules.PutRules(rules, expected));
  // They are stored, and checked: if they can't be loaded now, the look of every second does it.
  static_cast<void>(impl_->deps.rules.LoadShared());
  return InfoOf(put);
}

Result<PredicateVersionList> CoordinatorService::PredicateVersions(const Empty&, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto versions, impl_->deps.shared_rules.RuleVersions());
  PredicateVersionList out;
  for (const store::RuleVersion& version : versions) out.items.push_back(InfoOf(version));
  return out;
}

Result<PredicateVersionText> CoordinatorService::PredicateVersion(const PredicateVersionNumber& request,
                                                                  const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto version, impl_->deps.shared_rules.GetRules(request.version));
  return PredicateVersionText{version.version, std::move(version.text), std::move(version.note), version.created_at};
}

}  // namespace seedcore::service
