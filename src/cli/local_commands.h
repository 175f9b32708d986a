#pragma once

#include "cli/command.h"

/// Commands that need no running platform. Each returns an ExitCode.
namespace seedcore::cli {

int RunUp(const Arguments& arguments);
int RunDispatch(const Arguments& arguments);
int RunDispatchers(const Arguments& arguments);
int RunGateway(const Arguments& arguments);
int RunDemo(const Arguments& arguments);
int RunConfig(const Arguments& arguments);
int RunNab(const Arguments& arguments);
int RunBench(const Arguments& arguments);
int RunStoreMigrate(const Arguments& arguments);
int RunStoreCheck(const Arguments& arguments);
int RunStoreCopy(const Arguments& arguments);
int RunVersion(const Arguments& arguments);
int RunCompletion(const Arguments& arguments);
int RunDocs(const Arguments& arguments);

}  // namespace seedcore::cli
