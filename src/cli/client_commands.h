#pragma once

#include "cli/command.h"

/// Commands that talk to a running platform. Each returns an ExitCode.
namespace seedcore::cli {

int RunSubmit(const Arguments& arguments);
int RunAsk(const Arguments& arguments);
int RunTasks(const Arguments& arguments);
int RunTask(const Arguments& arguments);
int RunCancel(const Arguments& arguments);
int RunRetry(const Arguments& arguments);
int RunFacts(const Arguments& arguments);
int RunQueues(const Arguments& arguments);
int RunGraph(const Arguments& arguments);
int RunSchedules(const Arguments& arguments);
int RunRulesStatus(const Arguments& arguments);
int RunRulesCheck(const Arguments& arguments);
int RunRulesPut(const Arguments& arguments);
int RunRulesVersions(const Arguments& arguments);
int RunRulesShow(const Arguments& arguments);
int RunRulesRevert(const Arguments& arguments);
int RunRulesWithdraw(const Arguments& arguments);
int RunHealth(const Arguments& arguments);
int RunStatus(const Arguments& arguments);

}  // namespace seedcore::cli
