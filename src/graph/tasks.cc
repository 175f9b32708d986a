#include "graph/tasks.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace seedcore::graph {
namespace {

constexpr std::size_t kMaxMeta = 64;
constexpr std::size_t kMaxStart = 1'000;
constexpr int kSyncPage = 1'000;

struct Start {
  std::vector<store::NodeRef> nodes;  ///< each once, in the order given
  json::object sources;               ///< parameter to how many it named
};

Error Named(Error error, std::string_view param) {
  error.path = fmt::format("params.{}", param);
  return error;
}

class StartReader {
 public:
  explicit StartReader(store::GraphStore& store) : store_(store) {}

  Result<void> AddNumbers(std::string_view param, const std::vector<std::int64_t>& ids) {
    if (ids.empty()) return {};
    SEEDCORE_ASSIGN_OR_RETURN(const auto found, store_.FindNodes(ids));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!found[i]) {
        return std::unexpected(
            Named({ErrorCode::kInvalidArgument, fmt::format("there is no node {}", ids[i]), {}}, param));
      }
      SEEDCORE_RETURN_IF_ERROR(Add(*found[i]));
    }
    start_.sources[param] = ids.size();
    return {};
  }

  Result<void> AddKind(std::string_view param, store::NodeKind kind, const std::vector<std::string>& ids) {
    if (ids.empty()) return {};
    std::vector<store::NodeRef> refs;
    for (const std::string& id : ids) {
      refs.push_back({kind, id});
      if (auto good = store::CheckNode(refs.back()); !good) return std::unexpected(Named(good.error(), param));
    }
    SEEDCORE_ASSIGN_OR_RETURN(const auto known, store_.Describe(refs));
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (i >= known.size() || known[i].ref != refs[i]) {
        return std::unexpected(
            Named({ErrorCode::kInvalidArgument, fmt::format("there is no {}", store::ToString(refs[i])), {}}, param));
      }
      SEEDCORE_RETURN_IF_ERROR(Add(refs[i]));
    }
    start_.sources[param] = ids.size();
    return {};
  }

  Result<Start> Take() {
    if (start_.nodes.empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "no node to start from: give start_node_ids, or start_task_ids, start_fact_ids and their like",
                  "params");
    }
    return std::move(start_);
  }

 private:
  Result<void> Add(const store::NodeRef& node) {
    if (!seen_.insert(node).second) return {};
    if (seen_.size() > kMaxStart) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} nodes to start from", kMaxStart), "params");
    }
    start_.nodes.push_back(node);
    return {};
  }

  store::GraphStore& store_;
  Start start_;
  std::set<store::NodeRef> seen_;
};

Result<Start> ReadStart(store::GraphStore& store, const StartParams& params) {
  using K = store::NodeKind;
  StartReader reader(store);
  SEEDCORE_RETURN_IF_ERROR(reader.AddNumbers("start_node_ids", params.start_node_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddNumbers("start_ids", params.start_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_task_ids", K::kTask, params.start_task_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_agent_ids", K::kAgent, params.start_agent_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_organ_ids", K::kOrgan, params.start_organ_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_fact_ids", K::kFact, params.start_fact_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_artifact_ids", K::kArtifact, params.start_artifact_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_capability_ids", K::kCapability, params.start_capability_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_memory_cell_ids", K::kMemoryCell, params.start_memory_cell_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_model_ids", K::kModel, params.start_model_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_policy_ids", K::kPolicy, params.start_policy_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_service_ids", K::kService, params.start_service_ids));
  SEEDCORE_RETURN_IF_ERROR(reader.AddKind("start_skill_ids", K::kSkill, params.start_skill_ids));
  return reader.Take();
}

json::object MetaOf(std::int64_t node_id, const store::NodeRef& node, const std::string& label) {
  return {{"node_id", node_id}, {"node_type", EnumToString(node.kind)}, {"id", node.id}, {"label", label}};
}

/// What embedding all of the start came to.
struct Round {
  Start start;
  std::size_t embeddings = 0;
  store::EmbeddingsWritten written;
  bool truncated = false;
  json::array meta;  ///< of the first kMaxMeta nodes
  std::set<std::int64_t> seed_ids;
  std::vector<float> seed_sum = std::vector<float>(kDims);  ///< of the vectors of the start
};

Result<Round> EmbedStart(const Engine& engine, const StartParams& params, const CallContext& call) {
  if (params.chunk < 0) return Fail(ErrorCode::kInvalidArgument, "expected 0 or more", "params.chunk");
  Round round;
  SEEDCORE_ASSIGN_OR_RETURN(round.start, ReadStart(engine.store(), params));
  const std::size_t size = round.start.nodes.size();
  const std::size_t chunk = params.chunk == 0 ? size : static_cast<std::size_t>(params.chunk);
  std::set<std::int64_t> embedded_ids;
  for (std::size_t first = 0; first < size; first += chunk) {
    const auto seeds = std::span(round.start.nodes).subspan(first, std::min(chunk, size - first));
    auto embedded = engine.Embed(seeds, params.k, call);
    if (!embedded) {
      Error error = std::move(embedded).error();
      if (!error.path.empty()) error.path.insert(0, "params.");
      return std::unexpected(std::move(error));
    }
    SEEDCORE_ASSIGN_OR_RETURN(const Engine::Kept kept, engine.Keep(*embedded, call));
    for (std::size_t i = 0; i < embedded->nodes.size(); ++i) {
      const std::int64_t id = kept.node_ids[i];
      if (i < embedded->seeds) {
        round.seed_ids.insert(id);
        for (std::size_t d = 0; d < kDims; ++d) round.seed_sum[d] += embedded->VectorOf(i)[d];
      }
      if (!embedded_ids.insert(id).second || round.meta.size() >= kMaxMeta) continue;
      json::object meta = MetaOf(id, embedded->nodes[i].ref, embedded->nodes[i].label);
      meta["hop"] = embedded->hops[i];
      round.meta.emplace_back(std::move(meta));
    }
    round.written.inserted += kept.written.inserted;
    round.written.updated += kept.written.updated;
    round.written.unchanged += kept.written.unchanged;
    round.truncated = round.truncated || embedded->truncated;
  }
  round.embeddings = embedded_ids.size();
  return round;
}

void AddCommon(json::object& result, const Engine& engine, const StartParams& params, const TaskType& type,
               Round& round) {
  result["k"] = params.k;
  result["start_debug"] =
      json::object{{"sources", std::move(round.start.sources)}, {"node_count", round.start.nodes.size()}};
  result["node_meta"] = std::move(round.meta);
  result["truncated"] = round.truncated;
  result["model"] = engine.model();
  result["model_version"] = engine.model_version();
  if (!type.operation_type.empty()) result["operation_type"] = type.operation_type;
}

}  // namespace

std::span<const TaskType> TaskTypes() {
  static constexpr std::array<TaskType, 7> kTypes = {{{"graph_embed", TaskKind::kEmbed, ""},
                                                      {"graph_embed_v2", TaskKind::kEmbed, ""},
                                                      {"graph_fact_embed", TaskKind::kEmbed, "fact_embed"},
                                                      {"graph_fact_query", TaskKind::kQuery, "fact_query"},
                                                      {"graph_rag_query", TaskKind::kQuery, ""},
                                                      {"graph_rag_query_v2", TaskKind::kQuery, ""},
                                                      {"graph_sync_nodes", TaskKind::kSync, ""}}};
  return kTypes;
}

const TaskType* FindTaskType(std::string_view name) {
  const auto types = TaskTypes();
  const auto found = std::ranges::find(types, name, &TaskType::name);
  return found == types.end() ? nullptr : &*found;
}

Result<TaskReport> RunEmbed(const Engine& engine, const StartParams& params, const TaskType& type,
                            const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(Round round, EmbedStart(engine, params, call));
  TaskReport report;
  report.found = static_cast<int>(round.embeddings);
  report.result = {{"embedded", round.embeddings},
                   {"start_node_count", round.start.nodes.size()},
                   {"embedding_count", round.embeddings},
                   {"written", json::object{{"inserted", round.written.inserted},
                                            {"updated", round.written.updated},
                                            {"unchanged", round.written.unchanged}}}};
  AddCommon(report.result, engine, params, type, round);
  return report;
}

Result<TaskReport> RunQuery(const Engine& engine, const StartParams& params, const TaskType& type,
                            const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(Round round, EmbedStart(engine, params, call));
  std::vector<float> centroid = round.seed_sum;
  for (float& x : centroid) x /= static_cast<float>(round.seed_ids.size());
  SearchOptions options;
  options.metric = params.metric;
  options.topk = params.topk;
  options.kinds = params.node_kinds;
  options.exclude = round.seed_ids;
  auto hits = engine.Search(centroid, std::move(options), call);
  if (!hits) {
    Error error = std::move(hits).error();
    if (!error.path.empty()) error.path.insert(0, "params.");
    return std::unexpected(std::move(error));
  }
  json::array neighbours;
  for (const Hit& hit : *hits) {
    json::object neighbour = MetaOf(hit.node_id, hit.node, hit.label);
    neighbour["score"] = hit.distance;
    neighbours.emplace_back(std::move(neighbour));
  }
  TaskReport report;
  report.found = static_cast<int>(hits->size());
  report.quality = static_cast<double>(hits->size()) / params.topk;
  report.result = {{"neighbors", std::move(neighbours)},    {"neighbor_count", hits->size()},
                   {"seed_count", round.seed_ids.size()},   {"topk", params.topk},
                   {"metric", EnumToString(params.metric)}, {"centroid_computed", true}};
  AddCommon(report.result, engine, params, type, round);
  return report;
}

Result<TaskReport> RunSync(const Engine& engine, const SyncParams& params, const CallContext& call, Env& env) {
  TaskReport report;
  json::object added;
  int tasks = 0;
  for (const auto& [kind, name] : EnumNames(store::NodeKind{})) {
    if (!params.node_kinds.empty() && std::ranges::find(params.node_kinds, kind) == params.node_kinds.end()) continue;
    store::SyncedNodes page;
    int of_kind = 0;
    do {
      SEEDCORE_RETURN_IF_ERROR(call.Check(env));
      SEEDCORE_ASSIGN_OR_RETURN(page, engine.store().SyncNodes(kind, page.last, kSyncPage));
      of_kind += page.added;
    } while (page.seen == kSyncPage);
    added[name] = of_kind;
    report.found += of_kind;
    if (kind == store::NodeKind::kTask) tasks = of_kind;
  }
  report.result = {{"backfill_task_nodes", tasks}, {"added", std::move(added)}};
  return report;
}

}  // namespace seedcore::graph
