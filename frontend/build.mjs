// Builds nbagent/panel/static from src/: `node build.mjs`; with --compare it says whether what is committed is that.
import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = dirname(fileURLToPath(import.meta.url));
const HOME = join(HERE, "..", "nbagent", "panel", "static");
const LIMIT = 30 * 1024; // gzipped, script and styles together

const shared = {
  absWorkingDir: HERE,
  bundle: true,
  minify: true,
  write: false,
  charset: "utf8",
  legalComments: "eof", // the licence of lit-html goes along
  target: ["chrome109", "firefox115", "safari16.4"],
};
const [script, styles] = await Promise.all([
  build({ ...shared, entryPoints: ["src/main.ts"], format: "esm" }),
  build({ ...shared, entryPoints: ["src/styles/panel.css"] }),
]);
const made = { "panel.js": script.outputFiles[0].text, "panel.css": styles.outputFiles[0].text };

const gzipped = Object.values(made).reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
for (const [name, text] of Object.entries(made)) console.log(`${name}: ${text.length} characters`);
console.log(`gzipped: ${gzipped} of at most ${LIMIT} bytes`);
if (gzipped > LIMIT) fail("the bundle has become too large");

if (process.argv.includes("--compare")) {
  for (const [name, text] of Object.entries(made)) {
    const path = join(HOME, name);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
      fail(`nbagent/panel/static/${name} is not what src/ builds; run: npm run build`);
    }
  }
  console.log("what is committed is what src/ builds");
} else {
  mkdirSync(HOME, { recursive: true });
  for (const [name, text] of Object.entries(made)) writeFileSync(join(HOME, name), text);
}

function fail(why) {
  console.error(why);
  process.exit(1);
}
