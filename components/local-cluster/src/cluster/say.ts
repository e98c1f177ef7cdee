/** One line for the person who typed the command. */
export type Say = (line: string) => void;
