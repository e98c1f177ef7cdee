/** Shapes of the values that policies and entries hold. Only their form is judged here; the control plane turns them into numbers. */

/** `10.0.0.1`, `10.0.0.0/8`, `fd00::1`, `fd00::/8`. */
export function isAddressBlock(value: string): boolean {
  const slash = value.indexOf("/");
  if (slash < 0) return isIpAddress(value);
  const address = value.slice(0, slash);
  const length = value.slice(slash + 1);
  return (
    isIpAddress(address) && /^\d{1,3}$/.test(length) && Number(length) <= (address.includes(":") ? 128 : 32)
  );
}

function isIpAddress(value: string): boolean {
  return value.includes(":") ? isIpv6(value) : isIpv4(value);
}

function isIpv4(value: string): boolean {
  return /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(value);
}

function isIpv6(value: string): boolean {
  const halves = value.split("::");
  if (halves.length > 2 || value.length > 45) return false;
  const parts = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  // An IPv4 tail stands for the last two groups.
  const last = parts.at(-1) ?? "";
  const hasTail = last.includes(".");
  if (hasTail && (!isIpv4(last) || value.endsWith("::"))) return false;
  const groups = hasTail ? parts.slice(0, -1) : parts;
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = groups.length + (hasTail ? 2 : 0);
  return halves.length === 2 ? count < 8 : count === 8;
}

/** A port as policies write it: text of a number from 0 to 65535, no range. */
export function isPortText(value: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(value) && Number(value) <= 65535;
}
