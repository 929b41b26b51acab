// Runs the suite in Node: node node.mjs URL EMAIL PASSWORD
// Prints one line of JSON for each step.

import { EventSource } from "eventsource";
import { run } from "./suite.mjs";

globalThis.EventSource = EventSource; // the one thing that Node lacks

const [url, email, password] = process.argv.slice(2);
await run({ url, email, password, report: (result) => console.log(JSON.stringify(result)) });
