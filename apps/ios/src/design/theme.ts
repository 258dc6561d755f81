import { useColorScheme } from 'react-native';

const light = {
  paper: '#f5f4ef',
  surface: '#fffefb',
  sunken: '#f0eee7',
  ink: '#18221f',
  inkSoft: '#515c57',
  line: '#e0ddd3',
  lineStrong: '#8b928c',
  accent: '#0e5f57',
  onAccent: '#ffffff',
  accentWash: '#e3efec',
  accentInk: '#0c544d',
  wait: '#b7791f',
  waitWash: '#fbf0d9',
  waitInk: '#77480b',
  bad: '#b23a2e',
  badWash: '#fbe8e4',
  badInk: '#92281e',
} as const;

/** Every colour of the app. Text on its ground meets WCAG AA in both schemes. */
export type Theme = Readonly<Record<keyof typeof light, string>>;

const dark: Theme = {
  paper: '#0f1514',
  surface: '#171f1d',
  sunken: '#111917',
  ink: '#e8edea',
  inkSoft: '#a3b0ab',
  line: '#2a3532',
  lineStrong: '#6b7a75',
  accent: '#7fd0c1',
  onAccent: '#07211d',
  accentWash: '#17312d',
  accentInk: '#8fd8ca',
  wait: '#dda84a',
  waitWash: '#33270f',
  waitInk: '#ecc27a',
  bad: '#e5786b',
  badWash: '#3a1b17',
  badInk: '#f2a79d',
};

/** The colours of the scheme that the phone is set to; changes with it. */
export const useTheme = (): Theme => (useColorScheme() === 'dark' ? dark : light);

/** How something is meant: all is well, something waits, something is wrong. */
export type Tone = 'good' | 'wait' | 'bad';

/** Ground and text of a tone. */
export function toneColors(
  theme: Theme,
  tone: Tone,
): { readonly wash: string; readonly ink: string; readonly mark: string } {
  switch (tone) {
    case 'good':
      return { wash: theme.accentWash, ink: theme.accentInk, mark: theme.accent };
    case 'wait':
      return { wash: theme.waitWash, ink: theme.waitInk, mark: theme.wait };
    case 'bad':
      return { wash: theme.badWash, ink: theme.badInk, mark: theme.bad };
  }
}

/** Distances, in points. */
export const space = { xs: 4, s: 8, m: 12, l: 16, xl: 24, xxl: 32 } as const;

/** The least height of what is pressed, in points: Apple's Human Interface Guidelines. */
export const touchHeight = 44;
