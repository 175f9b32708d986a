// Whatever a caller sends, the rules either refuse it by name or give an answer that passes every check.
#include <random>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "cognitive/checks.h"
#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

/// Random JSON out of the words and shapes the rules look for, so that they are really reached.
class Requests {
 public:
  explicit Requests(std::uint64_t seed) : random_(seed) {}

  ReasoningRequest Next() {
    ReasoningRequest request;
    request.agent_id = "a";
    request.incident_context = Object(3);
    if (Coin()) request.incident_context["anomalies"] = Anomalies();
    request.decision_context = Object(3);
    if (Coin()) request.decision_context["options"] = Array(2);
    if (Coin()) request.decision_context["reason"] = Object(3);
    request.historical_data = Object(3);
    request.task_description = Text();
    request.problem_statement = Text();
    if (Coin()) {
      request.task = TaskDescription{.type = Word(),
                                     .domain = Word(),
                                     .description = Text(),
                                     .params = Object(3),
                                     .id = {},
                                     .drift_score = {},
                                     .priority = {}};
    }
    request.type = Word();
    request.constraints = Object(2);
    request.available_tools = Object(2);
    for (std::size_t i = Below(6); i > 0; --i) request.memory_fragments.push_back(Value(3));
    request.synthesis_goal = Text();
    request.performance_data = Object(1);
    request.current_capabilities = Object(1);
    request.target_capabilities = Object(1);
    return request;
  }

  Knowledge Memory() {
    Knowledge knowledge;
    for (std::size_t i = Below(4); i > 0; --i)
      knowledge.facts.push_back(FactOf(fmt::format("f{}", i), Text(), Number(), 0.5));
    for (std::size_t i = Below(3); i > 0; --i) {
      knowledge.incidents.push_back(
          {.id = fmt::format("i{}", i), .salience = 0.8, .similarity = 0.7, .text = Text(), .event_data = Object(2)});
    }
    return knowledge;
  }

 private:
  std::size_t Below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool Coin() { return Below(2) == 0; }
  double Number() {
    constexpr double kNumbers[] = {0, 1, -1, 0.5, 0.9, 1e308, -1e308, 3, 503, 1e-300, 100};
    return kNumbers[Below(std::size(kNumbers))];
  }
  std::string Word() {
    constexpr const char* kWords[] = {"",
                                      "error",
                                      "retry",
                                      "timeout",
                                      "index",
                                      "value",
                                      "score",
                                      "severity",
                                      "critical",
                                      "high",
                                      "action",
                                      "escalate",
                                      "option",
                                      "benefit",
                                      "cost",
                                      "risk",
                                      "success",
                                      "successes",
                                      "failures",
                                      "attempts",
                                      "max_attempts",
                                      "cpu_usage",
                                      "level",
                                      "reason",
                                      "result",
                                      "thought",
                                      "resolution",
                                      "organ_id",
                                      "general_query",
                                      "anomaly_triage",
                                      "graph_embed",
                                      "fact_search",
                                      "budget",
                                      "probability",
                                      "confidence_score",
                                      "what is it",
                                      "and then",
                                      "not",
                                      "demand",
                                      "holiday",
                                      "ü`@x`",
                                      "http://a b",
                                      "proposed_solution"};
    return kWords[Below(std::size(kWords))];
  }
  std::string Text() {
    std::string text;
    for (std::size_t i = Below(12); i > 0; --i) text += Word() + (Below(4) == 0 ? ". " : Below(4) == 0 ? " and " : " ");
    return text;
  }
  json::value Value(int depth) {
    switch (Below(depth > 0 ? 7 : 5)) {
      case 0: return json::value(Word());
      case 1: return json::value(Number());
      case 2: return json::value(static_cast<std::int64_t>(Below(20)));
      case 3: return json::value(Coin());
      case 4: return json::value(Text());
      case 5: return Array(depth - 1);
      default: return Object(depth - 1);
    }
  }
  json::array Array(int depth) {
    json::array array;
    for (std::size_t i = Below(5); i > 0; --i) array.push_back(Value(depth));
    return array;
  }
  json::object Object(int depth) {
    json::object object;
    for (std::size_t i = Below(6); i > 0; --i) object[Word()] = Value(depth);
    return object;
  }
  json::array Anomalies() {
    json::array array;
    for (std::size_t i = Below(12); i > 0; --i) {
      array.push_back(
          json::object{{"index", Below(40)}, {"value", Number()}, {"score", Number()}, {"severity", Word()}});
    }
    return array;
  }

  std::mt19937_64 random_;
};

TEST(Rules, AnswerOfAnyRequestPassesTheChecksOrIsRefusedByPath) {
  SimEnv env;
  RulesProvider rules(env);
  int answers = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Requests requests(seed);
    const ReasoningRequest request = requests.Next();
    const Knowledge knowledge = requests.Memory();
    for (const auto& [type, name] : EnumNames(TaskType{})) {
      const auto output = rules.Reason({type, request, knowledge}, CallContext{});
      if (!output) {
        EXPECT_EQ(output.error().code, ErrorCode::kInvalidArgument) << name << ", seed " << seed;
        EXPECT_FALSE(output.error().path.empty()) << name << ", seed " << seed;
        continue;
      }
      ++answers;
      const auto checked = CheckOutput(type, *output);
      EXPECT_TRUE(checked) << name << ", seed " << seed << ": " << ToString(checked.error());
      // A number that JSON can't carry would be written as null and refused by the reader.
      std::visit(
          []<class Answer>(const Answer& answer) {
            const auto read = FromJsonText<Answer>(ToJsonText(answer));
            EXPECT_TRUE(read) << ToString(read.error());
          },
          *output);
    }
  }
  EXPECT_GT(answers, 1000);  // otherwise the requests were all refused and nothing was tried
}

TEST(Rules, EqualInputsGiveEqualAnswers) {
  SimEnv env;
  RulesProvider rules(env);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const ReasoningRequest request = Requests(seed).Next();
    const Knowledge knowledge = Requests(seed).Memory();
    for (const auto& [type, name] : EnumNames(TaskType{})) {
      const auto text = [&] {
        const auto output = rules.Reason({type, request, knowledge}, CallContext{});
        return output ? std::visit([](const auto& answer) { return ToJsonText(answer); }, *output)
                      : ToString(output.error());
      };
      EXPECT_EQ(text(), text()) << name << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace seedcore::cognitive::rules
