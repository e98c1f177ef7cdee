/** Names of one processor architecture in four worlds. */

export interface Platform {
  /** In OCI images and Go. */
  readonly architecture: string;
  /** In Debian's packages. */
  readonly debian: string;
  /** In Node's and npm's world. */
  readonly node: string;
  /** Of the folder of libraries. */
  readonly triplet: string;
}

export const PLATFORMS: Readonly<Record<string, Platform>> = {
  "linux/amd64": { architecture: "amd64", debian: "amd64", node: "x64", triplet: "x86_64-linux-gnu" },
  "linux/arm64": { architecture: "arm64", debian: "arm64", node: "arm64", triplet: "aarch64-linux-gnu" },
};
