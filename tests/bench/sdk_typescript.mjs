// create -> first command through the TypeScript SDK; prints a JSON list of milliseconds.
import { createRequire } from "node:module";

const { Daytona } = createRequire(process.cwd() + "/")("@daytona/sdk");
const daytona = new Daytona({ apiUrl: process.env.SEBRING_URL + "/api", apiKey: process.env.SEBRING_KEY });
const times = [];
for (let i = 0; i < Number(process.env.COUNT) + 2; i++) {
  const start = performance.now();
  const sandbox = await daytona.create();
  await sandbox.process.executeCommand("true");
  times.push(performance.now() - start);
  await sandbox.delete();
}
console.log(JSON.stringify(times.slice(2)));
process.exit(0);
