/**
 * Which terminal this process sits at, as a name: of the conversation that questions at it belong to.
 *
 * Owns that name. A terminal is known by its device, which the standard streams of a process tell without any right; parents and sessions of
 * processes do not serve, since tasks and scripts stand between a shell and this program. What must hold: two terminals that are open at
 * once have two names, and all processes at one have the same. On Linux a terminal has its name alone for all time, since a device is
 * made with each, and keeps the time of it; elsewhere one that is opened when another was closed may have the name of that.
 */
import { fstatSync } from "node:fs";

/** How such a name begins. */
const PREFIX = "terminal ";

/** Major numbers of devices of Linux: windows, and the screens of the machine itself. */
const PTS_MAJOR = 136;
const LAST_PTS_MAJOR = 143;
const TTY_MAJOR = 4;

/** Whether a conversation is that of a terminal. */
export function isTerminalName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The name of the terminal of this process; undefined where none of its streams is at one. */
export function ownTerminal(): string | undefined {
  // Whatever was redirected, one of them is mostly left.
  const streams = [[Deno.stdin, 0], [Deno.stderr, 2], [Deno.stdout, 1]] as const;
  const [, descriptor] = streams.find(([stream]) => stream.isTerminal()) ?? [];
  if (descriptor === undefined) return undefined;
  try {
    const { rdev, ctimeMs } = fstatSync(descriptor);
    return terminalName(rdev, ctimeMs, Deno.build.os);
  } catch {
    return undefined; // A system that does not tell.
  }
}

/**
 * A name of a device.
 * @param device its number
 * @param made milliseconds since 1970; counts on Linux
 */
export function terminalName(device: number, made: number, system: string): string | undefined {
  // Windows has no numbers of devices.
  if (device === 0) return undefined;
  if (system !== "linux") return `${PREFIX}${device}`;
  // makedev(3): twelve bits of major within twenty of minor.
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  const path = major >= PTS_MAJOR && major <= LAST_PTS_MAJOR
    ? `pts/${(major - PTS_MAJOR) * 256 + minor}`
    : major === TTY_MAJOR
    ? `tty${minor}`
    : `${major}:${minor}`;
  return `${PREFIX}${path} since ${new Date(made).toISOString()}`;
}
