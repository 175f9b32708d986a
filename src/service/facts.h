#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/operation.h"
#include "store/store.h"

/// The facts API, `/api/v1/facts`.
namespace seedcore::service {

struct FactCreate {
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
  static constexpr auto kFields = Fields(Required("text", &FactCreate::text, "The fact in words, 1 to 65536 bytes"),
                                         Optional("tags", &FactCreate::tags, "Labels to find it by"),
                                         Optional("meta_data", &FactCreate::meta_data, "Anything else, as JSON"));
  [[nodiscard]] Result<void> Validate() const;
};

struct FactRead {
  std::string id;
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
  WallTime created_at;
  WallTime updated_at;
  static constexpr auto kFields =
      Fields(Required("id", &FactRead::id, "UUID"), Required("text", &FactRead::text, "The fact in words"),
             Required("tags", &FactRead::tags, "Labels"), Required("meta_data", &FactRead::meta_data, "Anything else"),
             Required("created_at", &FactRead::created_at, "Stored"),
             Required("updated_at", &FactRead::updated_at, "Last change"));
};

struct FactListQuery {
  std::string q;
  std::string tag;
  int limit = 100;
  int offset = 0;
  static constexpr auto kFields = Fields(Sparse("q", &FactListQuery::q, "Words to search for; best match first"),
                                         Sparse("tag", &FactListQuery::tag, "Only facts with this tag"),
                                         Optional("limit", &FactListQuery::limit, "Page size, 1 to 1000"),
                                         Optional("offset", &FactListQuery::offset, "Facts to pass over, 0 to 100000"));
  [[nodiscard]] Result<void> Validate() const;
};

struct FactList {
  std::int64_t total = 0;
  std::vector<FactRead> items;
  static constexpr auto kFields = Fields(Required("total", &FactList::total, "Facts stored in all"),
                                         Required("items", &FactList::items, "The page"));
};

struct FactId {
  std::string id;
  static constexpr auto kFields = Fields(Required("id", &FactId::id, "Fact id or unique prefix"));
};

struct FactPatch {
  std::string id;
  std::optional<std::string> text;
  std::optional<std::vector<std::string>> tags;
  std::optional<json::object> meta_data;
  static constexpr auto kFields = Fields(
      Required("id", &FactPatch::id, "Fact id or unique prefix"), Optional("text", &FactPatch::text, "New text"),
      Optional("tags", &FactPatch::tags, "New tags"), Optional("meta_data", &FactPatch::meta_data, "New meta data"));
};

struct FactDeleted {
  std::string deleted;
  static constexpr auto kFields = Fields(Required("deleted", &FactDeleted::deleted, "Full id of what was deleted"));
};

/// Thread-safe; everything it knows is in the store.
class FactService {
 public:
  explicit FactService(store::FactStore& facts) : facts_(facts) {}

  Result<FactRead> Add(const FactCreate& request, const CallContext& call);
  Result<FactList> List(const FactListQuery& request, const CallContext& call);
  Result<FactRead> Get(const FactId& request, const CallContext& call);
  Result<FactRead> Update(const FactPatch& request, const CallContext& call);
  Result<FactDeleted> Remove(const FactId& request, const CallContext& call);

 private:
  store::FactStore& facts_;
};

[[nodiscard]] OperationTable<FactService> FactOperations();

}  // namespace seedcore::service
