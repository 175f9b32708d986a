#include "base/json_schema.h"

#include <string>
#include <utility>

namespace seedcore::binding {

json::object TypeSchema(std::string_view type, std::string_view format) {
  json::object schema{{"type", type}};
  if (!format.empty()) schema["format"] = format;
  return schema;
}

json::object NullableSchema(json::object schema) {
  json::array choices;
  choices.push_back(std::move(schema));
  choices.push_back(TypeSchema("null"));
  return {{"anyOf", std::move(choices)}};
}

json::object ArraySchema(json::object items) { return {{"type", "array"}, {"items", std::move(items)}}; }

json::object MapSchema(json::object values) {
  return {{"type", "object"}, {"additionalProperties", std::move(values)}};
}

json::object EnumSchema(const std::vector<std::string_view>& names) {
  json::array known;
  for (const std::string_view name : names) known.push_back(json::string(name));
  return {{"type", "string"}, {"enum", std::move(known)}};
}

json::object StructSchema(std::string_view name, std::span<const DescribedField> fields, bool ignores_unknown,
                          json::object& definitions) {
  json::object reference{{"$ref", "#/components/schemas/" + std::string(name)}};
  if (definitions.contains(name)) return reference;
  definitions[name] = nullptr;  // ends the recursion of a type that contains itself
  json::object properties;
  json::array required;
  for (const DescribedField& field : fields) {
    json::object schema = field.schema(definitions);
    schema["description"] = field.doc;
    properties[field.name] = std::move(schema);
    if (field.is_required) required.push_back(json::string(field.name));
  }
  json::object schema{{"type", "object"}, {"additionalProperties", ignores_unknown}};
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  definitions[name] = std::move(schema);
  return reference;
}

}  // namespace seedcore::binding
