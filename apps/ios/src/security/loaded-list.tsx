import type { ReactElement } from 'react';
import { View } from 'react-native';
import { Button } from '../design/button.tsx';
import { Notice } from '../design/notice.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { Words } from '../design/text.tsx';
import type { Loaded } from '../session/call.ts';

/** A list that is loading, could not be loaded, is empty, or is there. */
export function LoadedList<Item>(props: {
  readonly list: Loaded<readonly Item[]>;
  /** The noun of the list, with a capital: `Passkeys`. */
  readonly title: string;
  readonly empty: string;
  readonly children: (item: Item) => ReactElement;
}): ReactElement {
  const { title, empty, children } = props;
  const { value, failure, reload } = props.list;
  if (failure !== null)
    return (
      <Notice tone="bad" title={`${title} could not be loaded`} text={failure}>
        <Button label="Try again" onPress={reload} />
      </Notice>
    );
  if (value === null) return <Skeleton label={`${title} are loading`} />;
  if (value.length === 0) return <Words color="inkSoft">{empty}</Words>;
  return (
    <View role="list" aria-label={title}>
      {value.map(children)}
    </View>
  );
}
