/** Files of the API, kept by the browser. A refusal is told on the page instead of being saved as a file. */
import { ApiError, body, send } from "./client";

/** Fetch `path` and hand it to the browser under the server's name for it, or `name`. Throws ApiError. */
export async function download(path: string, name: string): Promise<void> {
  const response = await send(new Request(new URL(path, window.location.origin)));
  if (!response.ok) {
    const refusal: unknown = await response.json().catch(() => undefined);
    await body(Promise.resolve({ error: refusal, response }));
  }
  const file = await response.blob().catch(() => {
    throw new ApiError(0, "unreachable", "The file broke off on its way. Try again.");
  });
  const address = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = address;
  link.download = fileNameOf(response.headers.get("Content-Disposition")) ?? name;
  document.body.append(link);
  link.click();
  link.remove();
  // the browser reads it after the click
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** The plain file name of a Content-Disposition header, if it has one. */
export function fileNameOf(disposition: string | null): string | undefined {
  return /filename="([^"/\\]+)"/.exec(disposition ?? "")?.[1];
}
