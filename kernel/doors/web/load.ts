/**
 * Results of commands as components want them: asked for when something changes, dropped when it changes again.
 *
 * What must hold: an answer that comes too late is never shown; the run behind it is given up.
 */
/// <reference lib="dom" />
import { useEffect, useState } from "preact/hooks";
import type { CommandName, Progress, Result } from "../../commands.ts";
import { run } from "./api.ts";
import { exampleNames, mainFolder } from "./examples.ts";
import { problemText } from "./store.ts";

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

/**
 * Summaries of the workspace and of the folder that holds the program, for examples of what to ask: the first folder on the way down whose
 * files define something.
 * @param isThere whether there is an index
 */
export function useMainFolder(isThere: boolean): {
  readonly workspace: Result<"tree"> | undefined;
  readonly folder: Result<"tree"> | undefined;
  /** Whether both are what they will be. */
  readonly isReady: boolean;
} {
  const at = (path: string | undefined) => path === undefined ? undefined : { path };
  const workspace = useResult("tree", isThere ? {} : undefined).result;
  const main = workspace && mainFolder(workspace);
  const folder = useResult("tree", at(main)).result;
  const isBare = folder !== undefined && exampleNames(folder).length === 0;
  const below = isBare ? mainFolder(folder) : undefined;
  const inner = useResult("tree", at(below)).result;
  return {
    workspace,
    folder: inner ?? folder,
    isReady: workspace !== undefined && (main === undefined || folder !== undefined) &&
      (below === undefined || inner !== undefined),
  };
}
