import { useEffect, useState, type ReactElement } from 'react';
import { Brand } from '../design/brand.tsx';
import { Panel } from '../design/panel.tsx';
import { collectLoot, playCopy, type CopyUse, type Loot } from './loot.ts';

/** The page of a thief who has copied this browser's storage and cookies. `copy`: names the cookie that was copied. */
export function ThiefPage({ copy }: { readonly copy: string | null }): ReactElement {
  return (
    <div className="thief">
      <header className="thief-top">
        <Brand />
        <span className="pill" data-tone="bad">
          The thief’s view
        </span>
      </header>
      <main className="thief-main">
        <h1>What a thief gets</h1>
        <p className="thief-lead">This page plays two of them, on your own session. Nothing leaves this machine.</p>
        <ScriptPanel />
        <CookiePanel copy={copy} />
      </main>
    </div>
  );
}

/** A script that got into the page. */
function ScriptPanel(): ReactElement {
  const [loot, setLoot] = useState<readonly Loot[] | null>(null);
  useEffect(() => {
    void collectLoot().then(setLoot);
  }, []);
  return (
    <Panel
      title="A script in your page"
      lead="It reads all that a page can read. While it runs there it can use your session; it finds nothing to take along."
    >
      {loot === null ? (
        <span className="bone" />
      ) : (
        <dl className="loot">
          {loot.map(({ place, found, isUseful }) => (
            <div key={place} className="loot-row" data-tone={isUseful ? 'bad' : 'good'}>
              <dt>{place}</dt>
              <dd>{found}</dd>
            </div>
          ))}
        </dl>
      )}
    </Panel>
  );
}

type Try = CopyUse & { readonly key: number };

/** Malware that has read the browser's cookies, and uses them on another machine. */
function CookiePanel({ copy }: { readonly copy: string | null }): ReactElement {
  const [tries, setTries] = useState<readonly Try[]>([]);
  const [failure, setFailure] = useState('');
  const [isPending, setPending] = useState(false);
  const run = async (name: string): Promise<void> => {
    setPending(true);
    setFailure('');
    try {
      const use = await playCopy(name);
      setTries((all) => [...all, { ...use, key: all.length + 1 }]);
    } catch (error) {
      setFailure(error instanceof Error ? error.message : 'It could not be tried.');
    } finally {
      setPending(false);
    }
  };
  return (
    <Panel
      title="Malware with your cookies"
      lead="It has the refresh token itself. Thief and owner get a turn each, a minute apart, which the demo lets pass at once; then that session is over, and only that one."
    >
      {copy === null ? (
        <p className="empty">Nothing was copied. Press “Steal it” on the notes page.</p>
      ) : (
        <>
          <button
            type="button"
            className="button button-danger"
            aria-disabled={isPending}
            data-busy={isPending}
            onClick={() => {
              if (!isPending) void run(copy);
            }}
          >
            {tries.length === 0 ? 'Use the copy on another machine' : 'Use it again'}
          </button>
          <ol className="tries" aria-label="What became of the copy" aria-live="polite">
            {tries.map((use) => (
              <li key={use.key} className="notice" data-tone={use.status === 200 ? 'bad' : 'good'}>
                <p className="notice-title">{titleOf(use)}</p>
                <p>{explain(use)}</p>
              </li>
            ))}
          </ol>
          <p className="thief-failure" role="alert">
            {failure}
          </p>
        </>
      )}
    </Panel>
  );
}

function titleOf({ status, reason }: CopyUse): string {
  if (status === 200) return 'The thief is in, for now';
  return reason === 'reuse' ? 'Caught: a second copy was used' : `Refused (${reason ?? status})`;
}

function explain({ status, notes }: CopyUse): string {
  if (status === 200) {
    const read = notes === null || notes === 0 ? '' : `, and your ${notes === 1 ? 'note' : `${notes} notes`}`;
    return `A new access token${read}. Press “Renew now” on your page, then use the copy again.`;
  }
  if (status === 400)
    return 'The session has ended, and the copy is worth nothing. You sign in once more, and go on where you were.';
  return 'The server could not answer. Try again.';
}
