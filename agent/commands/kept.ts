/**
 * What stays open between commands while this process serves many of them: memories, compilers, embedders, models, images, adapters.
 *
 * Owns the one place where handlers look for it. What must hold: a command line leaves all of it empty, and opens for itself what it
 * needs; whoever serves puts things here, and takes them away before it closes them.
 */
import type { CompilerThread, OpenEmbedders, OpenMemories } from "../../rag/mod.ts";
import type { OpenCycles } from "../open_cycles.ts";
import type { OpenModels } from "../models/shared.ts";
import type { PersonaAdapters } from "../persona_adapters.ts";

/** See the module text. */
export const kept: {
  memories?: OpenMemories;
  compilers?: CompilerThread;
  embedders?: OpenEmbedders;
  models?: OpenModels;
  cycles?: OpenCycles;
  adapters?: PersonaAdapters;
} = {};
