/**
 * A line of text with a label, as the forms of the page have it.
 *
 * What must hold: the label names the field for whoever does not see it; browsers neither complete nor correct what is typed, since it is
 * names and values of code.
 */
/// <reference lib="dom" />

/** Properties of `TextField`. */
export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly placeholder: string;
  readonly onText: (text: string) => void;
  readonly type?: "text" | "search";
  /** The `id` of a list of suggestions. */
  readonly list?: string;
}

/** See the module text. */
export function TextField(
  { label, value, placeholder, onText, type = "text", list }: TextFieldProps,
) {
  return (
    <label>
      {label}
      <input
        type={type}
        value={value}
        placeholder={placeholder}
        autoComplete="off"
        spellcheck={false}
        list={list}
        onInput={(event) => onText(event.currentTarget.value)}
      />
    </label>
  );
}
