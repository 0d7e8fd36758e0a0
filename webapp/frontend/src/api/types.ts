/** Short names for the schemas of the OpenAPI document that several components share. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Me = Schemas["Me"];
export interface SkillRef {
  slug: string;
  name: string;
}
