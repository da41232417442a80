#include "cli/quickstart.h"

namespace sebring::cli {

std::string quickstart(const std::string& api_url, const std::string& key) {
  const std::string shown = key.empty() ? "YOUR_KEY   # sebring key create NAME" : key;
  return "Environment of the official Daytona SDKs:\n"
         "  export DAYTONA_API_URL=" +
         api_url +
         "\n"
         "  export DAYTONA_API_KEY=" +
         shown +
         "\n"
         "\n"
         "Python (pip install daytona):\n"
         "  from daytona import Daytona\n"
         "  sandbox = Daytona().create()\n"
         "  print(sandbox.process.code_run(\"print('hello from a sandbox')\").result)\n"
         "  sandbox.delete()\n"
         "\n"
         "TypeScript (npm install @daytona/sdk):\n"
         "  import { Daytona } from '@daytona/sdk'\n"
         "  const sandbox = await new Daytona().create()\n"
         "  console.log((await sandbox.process.codeRun(\"print('hello from a sandbox')\")).result)\n"
         "  await sandbox.delete()\n"
         "\n"
         "Command line:\n"
         "  sebring create --name box && sebring exec box -- uname -a && sebring delete box\n";
}

}  // namespace sebring::cli
