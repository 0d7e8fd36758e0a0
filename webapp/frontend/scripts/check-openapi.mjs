// Fails when src/api/schema.ts is not what ../openapi.yaml generates: run `npm run openapi` and commit the result.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";

const committed = await readFile(new URL("../src/api/schema.ts", import.meta.url), "utf8");
const document = new URL("../../openapi.yaml", import.meta.url);
const generated = COMMENT_HEADER + astToString(await openapiTS(document, { defaultNonNullable: false }));

if (committed.trim() !== generated.trim()) {
  process.stderr.write(
    `src/api/schema.ts differs from what ${fileURLToPath(document)} generates.\nRun: npm run openapi\n`,
  );
  process.exit(1);
}
process.stdout.write("src/api/schema.ts matches openapi.yaml\n");
