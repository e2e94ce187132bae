// Asks the server, and says what people do; an action carries the proof that only this page knows.

export const me = { name: "", operator: false, csrf: "", session: false };

export class Failed extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function asked(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { accept: "application/json", ...options.headers } });
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Failed(answer.status, found.error ?? `the server answers ${answer.status}`);
  return found;
}

export const get = (path, query = {}) => asked(`/api/${path}?${new URLSearchParams(query)}`);

const post = (path, body) =>
  asked(`/api/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-tidegate-csrf": me.csrf },
    body: JSON.stringify(body),
  });

export const meet = async () => Object.assign(me, await asked("/api/me"));
export const act = (verdict, incident, until) => post("actions", { verdict, incident, until });
export const signIn = (token) => post("sign-in", { token });
export const signOut = () => post("sign-out", {});
