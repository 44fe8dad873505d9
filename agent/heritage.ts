/**
 * Whether a line declares that a type is built on another one.
 *
 * Owns the forms that such a declaration takes over all languages, told by one line. Pure. What must hold: a use inside a body, a type of a
 * parameter or a call is no declaration.
 */

/** Declares a type: what is behind it up to the body says what it is built on. */
const DECLARES =
  /^(?:(?:export|default|public|private|protected|internal|abstract|final|sealed|open|data|static|partial|case|pub(?:\([^)]*\))?|unsafe|declare|readonly|non-sealed|strictfp|@\w+(?:\([^)]*\))?)\s+)*(?:enum\s+class|class|interface|struct|enum|record|object|trait|protocol|extension|actor|mixin)\s+/;
/** What a line of its own begins with where the declaration is broken before it. */
const CONTINUES = /^(?:extends|implements|with|:|<)\s+/;
/** `impl Trait for Type`, `instance Class Type`, `defimpl Protocol, for: Type`. */
const IMPLEMENTS =
  /^(?:unsafe\s+)?impl\b(?:\s*<[^{]*?>)?\s+!?(.+?)\s+for\s|^instance\s+(?:.*=>\s*)?(\S+)\s|^defimpl\s+([\w.]+)/;
/** A type or module takes another into itself: Ruby, PHP, Elixir. */
const TAKES_IN = /^(?:(?:include|extend|prepend|@behaviour)\s+([\w:., ]+)|use\s+([\w., ]+?);?)$/;

const PYTHON_BASES = /^\(.*\)\s*:\s*(?:#.*)?$/;

/** Whether `text`, a line of a file without its indentation, says that something is built on `name`. */
export function isHeritage(text: string, name: string): boolean {
  const holds = (part: string | undefined) =>
    part !== undefined && new RegExp(`(?<![\\w$])${RegExp.escape(name)}(?![\\w$])`).test(part);
  const implemented = IMPLEMENTS.exec(text);
  if (implemented) return holds(implemented[1] ?? implemented[2] ?? implemented[3]);
  const taken = TAKES_IN.exec(text);
  if (taken) {
    return (taken[1] ?? taken[2]!).split(/,\s*/).some((one) => one.split(/::|\./).at(-1) === name);
  }
  const declared = DECLARES.exec(text);
  if (declared) {
    // Behind the name of what is declared and its parameters, before the body.
    const rest = text.slice(declared[0].length).replace(/\{.*$/, "");
    const behind = rest.replace(/^[\w$.:]+\??(?:<(?:[^<>]|<[^<>]*>)*>|\[[^(]*?\])?/, "");
    // Python names what it builds on in parentheses; elsewhere these hold fields or parameters.
    return holds(
      PYTHON_BASES.test(behind) ? behind : behind.replace(/^\s*\((?:[^()]|\([^()]*\))*\)/, ""),
    );
  }
  const continued = CONTINUES.exec(text);
  const rest = continued && text.slice(continued[0].length).replace(/[{=].*$/, "");
  // A colon also stands before the other value of a choice, and before a type of something else.
  return rest !== null && !/\bnew\b|[;"'`]|\w\(/.test(rest) && holds(rest);
}
