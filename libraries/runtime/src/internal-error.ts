/** Told of an error of this program, which has cut one connection; for the log. */
export type OnInternalError = (error: unknown) => void;

/** Where nobody listens, an error of this program ends it as any uncaught one does. */
export const endProcess: OnInternalError = (error) => {
  queueMicrotask(() => {
    throw error;
  });
};
