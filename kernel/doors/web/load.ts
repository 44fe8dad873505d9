/**
 * Results of commands as components want them: asked for when something changes, dropped when it changes again.
 *
 * What must hold: an answer that comes too late is never shown; the run behind it is given up.
 */
/// <reference lib="dom" />
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import type { CommandName, Progress, Result } from "../../commands.ts";
import { run } from "./api.ts";
import { exampleNames, gist, isPlainName, mainFolder } from "./examples.ts";
import { problemText, useKernelMessages } from "./store.ts";

/** Commits come in bursts while a question is answered: one look a burst is enough. */
const BURST_MS = 120;

/** What became of a request. */
export interface Loaded<R> {
  /** The first result: of the request, or of the one before while it goes on. */
  readonly result: R | undefined;
  readonly loading: boolean;
  readonly problem: string | undefined;
  readonly progress: Progress | undefined;
}

/**
 * The first result of a command.
 * @param input undefined when there is nothing to ask
 * @param delay milliseconds to wait for a further change, for what follows typing
 */
export function useResult<N extends CommandName>(
  name: N,
  input: Record<string, unknown> | undefined,
  { delay = 0, again = 0, keep = false }: {
    delay?: number;
    /** Another number asks again. */
    again?: number;
    /** Whether the result before is shown until there is a new one. */
    keep?: boolean;
  } = {},
): Loaded<Result<N>> {
  const [state, setState] = useState<Loaded<Result<N>> & { readonly key: string | undefined }>({
    key: undefined,
    result: undefined,
    loading: false,
    problem: undefined,
    progress: undefined,
  });
  const key = input && JSON.stringify([name, input]);
  useEffect(() => {
    if (key === undefined) {
      setState({ key, result: undefined, loading: false, problem: undefined, progress: undefined });
      return;
    }
    const gone = new AbortController();
    const show = (change: Partial<Loaded<Result<N>>>) => {
      if (!gone.signal.aborted) setState((before) => ({ ...before, key, ...change }));
    };
    setState((before) => ({
      key,
      result: keep || before.key === key ? before.result : undefined,
      loading: true,
      problem: undefined,
      progress: undefined,
    }));
    const timer = setTimeout(() => {
      run(name, JSON.parse(key)[1], {
        signal: gone.signal,
        onProgress: (progress) => show({ progress }),
      }).then(
        ([result]) => show({ result, loading: false }),
        (error) => show({ result: undefined, loading: false, problem: problemText(error) }),
      );
    }, delay);
    return () => {
      clearTimeout(timer);
      gone.abort();
    };
  }, [key, again]);
  // Between a change of the input and the effect, the state is that of another question.
  return state.key === key || keep ? state : {
    result: undefined,
    loading: key !== undefined,
    problem: undefined,
    progress: undefined,
  };
}

/** Definitions that are asked for where summaries name none. */
const MOST_FOUND = 8;

/**
 * What to ask about as an example: the summary of the workspace, and names that it defines: of the folder that holds the program, else of
 * what a search for what the workspace is about finds.
 * @param isThere whether there is an index
 */
export function useExamples(isThere: boolean): {
  readonly workspace: Result<"tree"> | undefined;
  readonly names: readonly string[];
  /** Whether both are what they will be. */
  readonly isReady: boolean;
} {
  const workspace = useResult("tree", isThere ? {} : undefined);
  const main = workspace.result && mainFolder(workspace.result);
  const folder = useResult("tree", main === undefined ? undefined : { path: main });
  const isKnown = workspace.result !== undefined && !workspace.loading && !folder.loading;
  const named = isKnown ? exampleNames(folder.result ?? workspace.result) : [];
  const about = isKnown && named.length === 0 ? gist(workspace.result!.text) : "";
  const found = useResult(
    "search",
    about === "" ? undefined : { query: about, kind: "class", limit: MOST_FOUND, audit: false },
  );
  const names = named.length > 0
    ? named
    : [...new Set(found.result?.results.map(({ node_name }) => node_name))].filter(isPlainName);
  return { workspace: workspace.result, names, isReady: isKnown && !found.loading };
}

/** A number that changes whenever the image has changed, or may have without a word. */
export function useImageVersion(): [version: number, again: () => void] {
  const [version, setVersion] = useState(0);
  const again = useCallback(() => setVersion((version) => version + 1), []);
  const burst = useMemo(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    return () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        again();
      }, BURST_MS);
    };
  }, [again]);
  useKernelMessages(useCallback((message) => {
    const { type, state } = message as { type: string; state?: { type?: string } };
    // With a new connection the kernel may be another one.
    if (type === "hello" || type === "missed" || state?.type === "commit") burst();
  }, [burst]));
  useEffect(() => {
    // Processes that work without the kernel tell nobody.
    addEventListener("focus", burst);
    return () => removeEventListener("focus", burst);
  }, [burst]);
  return [version, again];
}
