/**
 * Python with pyzmq, for tests whose other end is libzmq. What must hold: where there is none, a test says so in its name and is skipped.
 */

/** A Python that has pyzmq and msgpack; undefined where there is none. */
export const pythonWithZmq: string | undefined = ["python3", "/usr/bin/python3"].find((program) => {
  try {
    const args = ["-c", "import zmq, msgpack"];
    return new Deno.Command(program, { args, stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
});

/** What the name of such a test ends with: nothing, or why it is skipped. */
export const PYTHON_MISSING = pythonWithZmq === undefined
  ? " (skipped: no python3 with pyzmq and msgpack)"
  : "";
